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

/// Every mutant that must be caught.
pub const MUTANTS: [Mutant; 5] = [
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
        name: "reviving-heartbeat",
        wrong: "a heartbeat brings a dead node back",
        edits: &[
            Edit { of: "renewal as materialized", from: "having bool_and(alive)", to: "having count(*) > 0" },
            Edit {
                of: "renewal as materialized",
                from: "set lease_until = renewal.now",
                to: "set dead = false, lease_until = renewal.now",
            },
        ],
    },
    Mutant {
        name: "takeover-leaves-alive",
        wrong: "runs are taken from a node whose lease is over without marking it dead",
        edits: &[
            Edit {
                of: "with suspects as materialized",
                from: "from runlog.leases where not dead and",
                to: "from runlog.leases where false and",
            },
            Edit {
                of: "orphans as materialized",
                from: "and not l.dead)",
                to: "and not l.dead and l.lease_until > clock_timestamp())",
            },
        ],
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
