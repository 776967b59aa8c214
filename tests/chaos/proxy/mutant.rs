//! Mutants of the protocol: the product's statements changed on their way to the server. The product itself has no
//! switch for them.

/// A wrong protocol.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    pub name: &'static str,
    /// What is wrong with it.
    pub wrong: &'static str,
    /// Which texts of statements that match become which others. All of them must be found.
    edits: &'static [Edit],
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    /// A statement is meant if it holds this text.
    of: &'static str,
    from: &'static str,
    to: &'static str,
}

const APPENDS: &str = "insert into runlog.events";

/// Every mutant that must be caught here.
/// A heartbeat that revives a dead node and a takeover that leaves one alive are not among them: on one machine a node's
/// own clock fences it before a second node can take over. The simulation, which skews clocks, has both.
pub const MUTANTS: [Mutant; 3] = [
    Mutant {
        name: "no-fence-lock",
        wrong: "appends look at the lease without locking it",
        edits: &[Edit { of: APPENDS, from: "    for share\n", to: "\n" }],
    },
    Mutant {
        name: "key-share",
        wrong: "appends lock the lease against its removal only",
        edits: &[Edit { of: APPENDS, from: "for share", to: "for key share" }],
    },
    Mutant {
        name: "append-at-head",
        wrong: "events go after whatever is in the log, not where their writer expects to write",
        edits: &[Edit {
            of: APPENDS,
            from: "e.seq, e.kind",
            to: "(select coalesce(max(x.seq), 0) from runlog.events x where x.run_id = e.run_id)::int \
                 + row_number() over (partition by e.run_id order by e.seq)::int, e.kind",
        }],
    },
];

impl Mutant {
    pub fn named(name: &str) -> Option<Mutant> {
        MUTANTS.into_iter().find(|mutant| mutant.name == name)
    }

    /// How many texts it must find.
    pub fn edits(&self) -> usize {
        self.edits.len()
    }

    /// Changes a statement; returns the places of the edits that were made.
    pub fn change(&self, statement: &mut String) -> Vec<usize> {
        let mut made = Vec::new();
        for (place, edit) in self.edits.iter().enumerate() {
            // The lane's own claims have no such statement: only those that are meant are looked through.
            if statement.contains(edit.of) && statement.contains(edit.from) {
                *statement = statement.replace(edit.from, edit.to);
                made.push(place);
            }
        }
        made
    }
}
