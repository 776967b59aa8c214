//! What can be said of an expression without an event: whether it is a truth value, compares like with like, and is bounded.

use cel::common::ast::operators;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

use crate::model::limits::EVENT_FILTER_DEPTH_MAX;

/// What an expression is, as far as it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    Truth,
    Number,
    Text,
    List,
    Map,
    /// It depends on the event.
    Open,
}

/// What an expression may speak of.
const VARIABLES: [&str; 4] = ["id", "key", "payload", "metadata"];

/// The functions that it may call, besides operators and macros.
const FUNCTIONS: [&str; 8] =
    ["contains", "double", "endsWith", "int", "size", "startsWith", "string", "uint"];

/// Looks through an expression that is to be a truth value; says whether it passes over a list.
pub(super) fn look_through(root: &IdedExpr) -> Result<bool, String> {
    let mut scanner = Scanner::default();
    match scanner.scan(root, 0)? {
        Scan::Truth | Scan::Open => Ok(scanner.has_loop),
        other => Err(format!("it is {}, not true or false", other.name())),
    }
}

impl Scan {
    fn name(self) -> &'static str {
        match self {
            Scan::Truth => "true or false",
            Scan::Number => "a number",
            Scan::Text => "a text",
            Scan::List => "a list",
            Scan::Map => "a map",
            Scan::Open => "open",
        }
    }
}

#[derive(Default)]
struct Scanner<'expression> {
    /// The names that a pass over a list gives its elements.
    bound: Vec<&'expression str>,
    has_loop: bool,
    depth: usize,
}

/// Refuses what two sides can never have in common.
fn alike(one: Scan, other: Scan) -> Result<(), String> {
    match one == other || one == Scan::Open || other == Scan::Open {
        true => Ok(()),
        false => Err(format!("it compares {} with {}", one.name(), other.name())),
    }
}

fn wanted(found: Scan, kind: Scan, by: &str) -> Result<(), String> {
    match found == kind || found == Scan::Open {
        true => Ok(()),
        false => Err(format!("{by} needs {}, not {}", kind.name(), found.name())),
    }
}

impl<'expression> Scanner<'expression> {
    fn scan(&mut self, of: &'expression IdedExpr, loops: usize) -> Result<Scan, String> {
        if self.depth == EVENT_FILTER_DEPTH_MAX {
            return Err(format!("it is nested deeper than {EVENT_FILTER_DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let found = self.scan_within(of, loops);
        self.depth -= 1;
        found
    }

    fn scan_within(&mut self, of: &'expression IdedExpr, loops: usize) -> Result<Scan, String> {
        Ok(match &of.expr {
            Expr::Unspecified => return Err("it is empty".to_owned()),
            Expr::Ident(name) => {
                let name = name.as_str();
                if !VARIABLES.contains(&name) && !self.bound.contains(&name) && !name.starts_with(['@', '_'])
                {
                    return Err(format!("{name} is unknown: it may speak of {}", VARIABLES.join(", ")));
                }
                Scan::Open
            }
            Expr::Literal(LiteralValue::Boolean(_)) => Scan::Truth,
            Expr::Literal(LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_)) => {
                Scan::Number
            }
            Expr::Literal(LiteralValue::String(_)) => Scan::Text,
            Expr::Literal(LiteralValue::Bytes(_) | LiteralValue::Null) => Scan::Open,
            Expr::Select(select) => {
                self.scan(&select.operand, loops)?;
                if select.test { Scan::Truth } else { Scan::Open }
            }
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.scan(element, loops).map(drop))?;
                Scan::List
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.scan(&entry.key, loops)?;
                        self.scan(&entry.value, loops)?;
                    }
                }
                Scan::Map
            }
            Expr::Struct(_) => return Err("it makes a message, and there are none".to_owned()),
            Expr::Comprehension(all) => {
                if loops > 0 {
                    return Err("a pass over a list stands inside another one: one at most".to_owned());
                }
                self.has_loop = true;
                self.scan(&all.iter_range, loops)?;
                let outside = self.bound.len();
                self.bound.push(&all.iter_var);
                self.bound.extend(all.iter_var2.as_deref());
                self.bound.push(&all.accu_var);
                for part in [&all.accu_init, &all.loop_cond, &all.loop_step] {
                    self.scan(part, loops + 1)?;
                }
                let result = self.scan(&all.result, loops + 1)?;
                let of = self.scan(&all.accu_init, loops + 1)?;
                self.bound.truncate(outside);
                if result == Scan::Open { of } else { result }
            }
            Expr::Call(call) => {
                let target = call.target.as_deref().map(|target| self.scan(target, loops)).transpose()?;
                let args =
                    call.args.iter().map(|arg| self.scan(arg, loops)).collect::<Result<Vec<_>, _>>()?;
                called(&call.func_name, target, &args)?
            }
        })
    }
}

fn called(name: &str, target: Option<Scan>, args: &[Scan]) -> Result<Scan, String> {
    let both = || match args {
        [one, other] => alike(*one, *other),
        _ => Ok(()),
    };
    let each = |kind, by| args.iter().try_for_each(|arg| wanted(*arg, kind, by));
    Ok(match name {
        operators::EQUALS | operators::NOT_EQUALS => {
            both()?;
            Scan::Truth
        }
        operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS => {
            both()?;
            Scan::Truth
        }
        operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
            each(Scan::Truth, name.trim_matches('_'))?;
            Scan::Truth
        }
        operators::CONDITIONAL => match args {
            [condition, one, other] => {
                wanted(*condition, Scan::Truth, "?:")?;
                if one == other { *one } else { Scan::Open }
            }
            _ => Scan::Open,
        },
        operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO
        | operators::NEGATE => {
            each(Scan::Number, name.trim_matches('_'))?;
            Scan::Number
        }
        operators::ADD => {
            both()?;
            args.iter().copied().find(|arg| *arg != Scan::Open).unwrap_or(Scan::Open)
        }
        operators::IN => Scan::Truth,
        "contains" | "startsWith" | "endsWith" => {
            target.map_or(Ok(()), |target| wanted(target, Scan::Text, name))?;
            each(Scan::Text, name)?;
            Scan::Truth
        }
        "size" | "int" | "uint" | "double" => Scan::Number,
        "string" => Scan::Text,
        name if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !FUNCTIONS.contains(&name) => {
            return Err(format!("there is no function {name}: it may call {}", FUNCTIONS.join(", ")));
        }
        _ => Scan::Open,
    })
}
