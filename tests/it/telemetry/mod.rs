//! What the code of a task tells by `tracing`.

mod layer;
