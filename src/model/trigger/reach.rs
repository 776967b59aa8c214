//! Which values of a payload an expression can tell of.

use std::collections::BTreeSet;

use cel::common::ast::operators;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

/// What an expression speaks of.
#[derive(Debug, Default)]
pub(super) struct Reach<'expression> {
    /// Names of members: what it selects, and every text that may be one.
    pub(super) names: BTreeSet<&'expression str>,
    /// Whether it speaks of the payload at all.
    pub(super) is_of_payload: bool,
    /// Whether it makes names while it is evaluated: then it may speak of any.
    pub(super) is_computed: bool,
}

/// Looks through an expression that was [looked through](super::scan::look_through) before: it is not too deep.
pub(super) fn reach(root: &IdedExpr) -> Reach<'_> {
    let mut reach = Reach::default();
    reach.look(root);
    reach
}

impl<'expression> Reach<'expression> {
    fn look(&mut self, of: &'expression IdedExpr) {
        match &of.expr {
            Expr::Unspecified | Expr::Struct(_) => {}
            Expr::Ident(name) => self.is_of_payload |= name == "payload",
            Expr::Literal(LiteralValue::String(text)) => {
                self.names.insert(text);
            }
            Expr::Literal(_) => {}
            Expr::Select(select) => {
                self.names.insert(&select.field);
                self.look(&select.operand);
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.look(element)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.name(&entry.key);
                        self.look(&entry.value);
                    }
                }
            }
            Expr::Comprehension(all) => {
                let parts = [&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result];
                parts.into_iter().for_each(|part| self.look(part));
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.look(target));
                match (call.func_name.as_str(), &call.args[..]) {
                    (operators::INDEX | operators::OPT_INDEX, [from, at]) => {
                        self.look(from);
                        self.name(at);
                    }
                    (_, args) => args.iter().for_each(|arg| self.look(arg)),
                }
            }
        }
    }

    /// Looks at what names a member, or an element.
    fn name(&mut self, of: &'expression IdedExpr) {
        self.is_computed |= !matches!(of.expr, Expr::Literal(_));
        self.look(of);
    }
}
