//! The workflow of the load.

use runlog::{Cx, CxError, Workflow};

/// As many steps as its input says, one after the other.
pub fn steps() -> Workflow<u32, u32> {
    async fn code(cx: Cx, count: u32) -> Result<u32, CxError> {
        for n in 0..count {
            cx.step("step", || std::future::ready(anyhow::Ok(n))).await?;
        }
        Ok(count)
    }
    Workflow::function("steps", code)
}
