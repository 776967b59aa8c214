//! The demo's shop: a checkout, and a payment service that can be down.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Retry;
use crate::workflow::{TaskErrors, Workflow};

/// Attempts at the payment.
pub(super) const CHARGE_ATTEMPTS: u32 = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) number: u32,
    pub(super) item: String,
    pub(super) cents: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) payment: String,
    pub(super) parcel: String,
}

/// A payment service that somebody else runs.
#[derive(Clone)]
pub(super) struct Payments {
    is_up: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
enum PaymentError {
    #[error("the payment service does not answer")]
    Unreachable(#[source] ConnectError),
}

#[derive(Debug, thiserror::Error)]
#[error("no connection to payments.example.org:443")]
struct ConnectError(#[source] io::Error);

impl Payments {
    pub(super) fn down() -> Payments {
        Payments { is_up: Arc::new(AtomicBool::new(false)) }
    }

    pub(super) fn repair(&self) {
        self.is_up.store(true, Ordering::Relaxed);
    }

    /// Charges once for each idempotency key, however often it is asked.
    async fn charge(self, _idempotency_key: String, cents: u32) -> Result<String, PaymentError> {
        if self.is_up.load(Ordering::Relaxed) {
            return Ok(format!("{cents} cents charged"));
        }
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        Err(PaymentError::Unreachable(ConnectError(refused)))
    }
}

/// Reserve and score at the same time, then charge, then ship; give the stock back if anything fails.
pub(super) fn checkout(payments: Payments) -> Workflow<Order, Receipt> {
    let w = Workflow::dag("checkout").timeout(Duration::from_secs(30));
    let reserve = w.task("reserve", |_cx, order: Order| async move {
        Ok::<_, io::Error>(format!("one {} from shelf 3", order.item))
    });
    let score = w
        .task("score", |_cx, order: Order| async move { Ok::<_, io::Error>(order.cents / 1_000) })
        .timeout(Duration::from_secs(5));
    let charge = w
        .task_after("charge", (&reserve, &score), move |cx, order: Order, _: (String, u32)| {
            payments.clone().charge(cx.idempotency_key(), order.cents)
        })
        .retry(Retry::fixed(Duration::from_millis(150)).max_attempts(CHARGE_ATTEMPTS));
    let ship =
        w.task_after("ship", (&reserve, &charge), |_cx, _order, (stock, payment): (String, String)| {
            let parcel = format!("parcel with {stock}");
            async move { Ok::<_, io::Error>(Receipt { payment, parcel }) }
        });
    w.on_failure("give back", |cx, _order: Order, _errors: TaskErrors| async move {
        let stock: Option<String> = cx.output("reserve")?;
        Ok::<_, crate::workflow::CxError>(stock.map(|stock| format!("put back {stock}")))
    });
    w.output(&ship)
}
