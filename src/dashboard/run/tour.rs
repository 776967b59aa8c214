//! A tour of a failed run's page for one who sees it for the first time: `?tour=1`, where the demo leads to.

use maud::{Markup, html};

/// What is pointed at.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    Why,
    Replay,
    State,
}

/// A callout beside what it is about; a click on its link takes all of them away.
pub(super) fn callout(stop: Stop) -> Markup {
    let (number, what, says) = match stop {
        Stop::Why => (
            1,
            "Why",
            "Every page of a failed run begins with the answer: the task and the attempt, the error with its causes, the source \
             line, the input, and what the code said last.",
        ),
        Stop::Replay => (
            2,
            "Replay",
            "The buttons above start a new run that takes over what had succeeded, and does the rest again. This one stays as it \
             is.",
        ),
        Stop::State => (
            3,
            "State",
            "A run is its log of events: \u{201c}State at event N\u{201d} shows what had been known at any moment, and what each event \
             changed.",
        ),
    };
    html! {
        aside.callout aria-label={ "Tour, " (number) " of 3" } {
            p { strong { (number) " of 3 · " (what) } " " (says) " " a href="?" { "Close the tour" } }
        }
    }
}
