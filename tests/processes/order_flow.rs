//! The order flow at each point where it can fail: refusals, deadlines, late answers, inputs out of order.

use std::time::Duration;

use jitney_testkit::{GivenProcess, given_process};

use crate::saga::*;

fn order() -> String {
    "o-1".to_owned()
}

pub(crate) fn placed() -> Followed {
    OrderPlaced { order: order(), cents: 700 }.into()
}

pub(crate) fn reserved() -> Followed {
    StockReserved { order: order() }.into()
}

pub(crate) fn paid() -> Followed {
    PaymentTaken { order: order() }.into()
}

fn shipped() -> Followed {
    OrderShipped { order: order() }.into()
}

fn cancelled(reason: &str) -> OrderCancelled {
    OrderCancelled { order: order(), reason: reason.to_owned() }
}

fn release() -> ReleaseStock {
    ReleaseStock { order: order() }
}

fn refund() -> RefundPayment {
    RefundPayment { order: order(), cents: 700 }
}

fn given(inputs: impl IntoIterator<Item = Followed>) -> GivenProcess<OrderFlow> {
    given_process(inputs)
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn an_order_is_reserved_paid_and_shipped() {
    given([])
        .when(placed())
        .then_sent([ReserveStock { order: order() }])
        .then_deadline(Deadline::Stock, 10 * MINUTE)
        .when(reserved())
        .then_sent([TakePayment { order: order(), cents: 700 }])
        .then_deadline(Deadline::Payment, 60 * MINUTE)
        .when(paid())
        .then_sent([ShipOrder { order: order() }])
        .then_deadline(Deadline::Shipping, 3 * DAY)
        .when(shipped())
        .then_sent([OrderFulfilled { order: order() }])
        .then_completed()
        .then_no_deadline();
}

#[test]
fn a_refusal_undoes_what_was_done_the_last_first() {
    given([placed()])
        .when(StockRefused { order: order() })
        .then_sent([cancelled("out of stock")])
        .then_completed();
    given([placed(), reserved()])
        .when(PaymentRefused { order: order() })
        .then_sent((release(), cancelled("payment refused")))
        .then_completed();
    given([placed(), reserved(), paid()])
        .when(ShippingRefused { order: order() })
        .then_sent((refund(), release(), cancelled("shipping refused")))
        .then_completed()
        .then_no_deadline();
}

#[test]
fn an_answer_that_does_not_come_undoes_what_was_done() {
    given([placed()])
        .after(10 * MINUTE - Duration::from_millis(1))
        .then_nothing_sent()
        .after(Duration::from_millis(1))
        .then_sent([cancelled("no answer from the stock")])
        .then_deadline(Deadline::Late, 30 * DAY)
        .then_open();
    given([placed(), reserved()])
        .after(60 * MINUTE)
        .then_sent((release(), cancelled("no answer about the payment")))
        .then_open();
    given([placed(), reserved(), paid()])
        .after(3 * DAY)
        .then_sent((refund(), release(), cancelled("no answer from the carrier")))
        .then_open()
        .after(30 * DAY)
        .then_nothing_sent()
        .then_completed();
}

#[test]
fn an_answer_that_comes_too_late_is_undone_too() {
    given([placed()]).after(DAY).when(reserved()).then_sent([release()]).then_completed();
    given([placed(), reserved()]).after(DAY).when(paid()).then_sent([refund()]).then_completed();
    let recall = RecallShipment { order: order() };
    given([placed(), reserved(), paid()]).after(4 * DAY).when(shipped()).then_sent([recall]).then_completed();
    let refusals: [(Vec<Followed>, Followed); 3] = [
        (vec![placed()], StockRefused { order: order() }.into()),
        (vec![placed(), reserved()], PaymentRefused { order: order() }.into()),
        (vec![placed(), reserved(), paid()], ShippingRefused { order: order() }.into()),
    ];
    for (inputs, refusal) in refusals {
        given(inputs).after(4 * DAY).when(refusal).then_nothing_sent().then_completed();
    }
}

#[test]
fn inputs_out_of_order_and_copies_under_other_ids_change_nothing() {
    // Nothing but the placed order starts the flow.
    for early in [reserved(), paid(), shipped()] {
        given([]).when(early).then_ignored();
    }
    // What was not asked for yet.
    for early in [paid(), shipped(), PaymentRefused { order: order() }.into()] {
        given([placed()])
            .when(early)
            .then_nothing_sent()
            .then_open()
            .then_deadline(Deadline::Stock, 10 * MINUTE);
    }
    // What was answered before.
    for copy in [placed(), reserved(), paid()] {
        given([placed(), reserved(), paid()]).when(copy).then_nothing_sent().then_open();
    }
    // The payment was refunded when the carrier did not answer: a copy of it is no second one.
    given([placed(), reserved(), paid()]).after(4 * DAY).when(paid()).then_nothing_sent().then_open();
    // The end is the end.
    for late in [placed(), reserved(), paid(), shipped()] {
        given([placed(), reserved(), paid(), shipped()]).when(late).then_ignored();
    }
}
