//! The demo's shop: a checkout, a stock that counts what is taken from it, and a payment service that can be down.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Retry;
use crate::workflow::{TaskErrors, Workflow};

/// Attempts at the payment.
pub(super) const CHARGE_ATTEMPTS: u32 = 3;

/// What each of them writes to the run's log lines.
pub(super) const ASKS: &str = "asking the payment service";

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

/// What the checkout acts on.
#[derive(Clone, Default)]
pub(super) struct Shop {
    reserved: Arc<AtomicU32>,
    payments_are_up: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
enum PaymentError {
    #[error("the payment service does not answer")]
    Unreachable(#[source] ConnectError),
}

#[derive(Debug, thiserror::Error)]
#[error("no connection to payments.example.org:443")]
struct ConnectError(#[source] io::Error);

impl Shop {
    pub(super) fn repair(&self) {
        self.payments_are_up.store(true, Ordering::Relaxed);
    }

    /// Returns how often something was taken from the stock.
    pub(super) fn reserved(&self) -> u32 {
        self.reserved.load(Ordering::Relaxed)
    }

    fn reserve(&self, item: &str) -> String {
        self.reserved.fetch_add(1, Ordering::Relaxed);
        format!("one {item} from shelf 3")
    }

    /// Charges once for each idempotency key, however often it is asked.
    async fn charge(&self, _idempotency_key: String, cents: u32) -> Result<String, PaymentError> {
        if self.payments_are_up.load(Ordering::Relaxed) {
            return Ok(format!("{cents} cents charged"));
        }
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        Err(PaymentError::Unreachable(ConnectError(refused)))
    }
}

/// Reserve and score at the same time, then charge, then ship; tell somebody if anything fails.
pub(super) fn checkout(shop: Shop) -> Workflow<Order, Receipt> {
    let w = Workflow::dag("checkout").timeout(Duration::from_secs(30));
    let stock = shop.clone();
    let reserve = w.task("reserve", move |cx, order: Order| {
        let reserved = stock.reserve(&order.item);
        async move {
            cx.log().info(format!("took {reserved}"));
            Ok::<_, io::Error>(reserved)
        }
    });
    let score = w
        .task("score", |_cx, order: Order| async move { Ok::<_, io::Error>(order.cents / 1_000) })
        .timeout(Duration::from_secs(5));
    let charge = w
        .task_after("charge", (&reserve, &score), move |cx, order: Order, _: (String, u32)| {
            let shop = shop.clone();
            async move {
                cx.log().info(format!("{ASKS}, attempt {} of {CHARGE_ATTEMPTS}", cx.attempt()));
                shop.charge(cx.idempotency_key(), order.cents).await
            }
        })
        .retry(Retry::fixed(Duration::from_millis(150)).max_attempts(CHARGE_ATTEMPTS));
    let ship =
        w.task_after("ship", (&reserve, &charge), |_cx, _order, (stock, payment): (String, String)| {
            let parcel = format!("parcel with {stock}");
            async move { Ok::<_, io::Error>(Receipt { payment, parcel }) }
        });
    w.on_failure("tell", |_cx, order: Order, errors: TaskErrors| async move {
        let failed: Vec<&str> = errors.iter().map(|(task, _)| task.as_str()).collect();
        Ok::<_, io::Error>(format!("order {} waits for: {}", order.number, failed.join(", ")))
    });
    w.output(&ship)
}
