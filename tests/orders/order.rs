//! The order by itself: what it decides, and what it refuses.

use jitney_testkit::given;

use crate::bench::{catalogue, line};
use crate::orders::events::{
    OrderCreated, PaymentDeclined, PaymentTaken, PlaceOrder, StockReleased, StockReserved,
};
use crate::orders::order::{Command, Order, OrderEvent, Refusal, Stage};

fn command(shipped_at: Option<&str>) -> PlaceOrder {
    let order = catalogue().order(&line("A", 2, "1.50")).unwrap();
    PlaceOrder { shipped_at: shipped_at.map(str::to_owned), ..order }
}

fn created(shipped_at: Option<&str>) -> OrderEvent {
    OrderEvent::Created(OrderCreated::from(command(shipped_at)))
}

fn reserved(shipped_at: Option<&str>) -> OrderEvent {
    let shipped_at = shipped_at.map(str::to_owned);
    OrderEvent::StockReserved(StockReserved {
        order_id: "A".to_owned(),
        amount: "3.00".parse().unwrap(),
        shipped_at,
    })
}

fn refused(stage: Stage, command: &Command) -> Refusal {
    Refusal::NotNow { stage, command: command.name() }
}

#[test]
fn an_order_is_placed_once_reserved_paid_confirmed_and_shipped() {
    let date = Some("1996-07-16");
    let (order_id, shipped_at) = ("A".to_owned(), date.map(str::to_owned));
    let paid = PaymentTaken {
        order_id: order_id.clone(),
        amount: "3.00".parse().unwrap(),
        shipped_at: shipped_at.clone(),
    };
    given::<Order>([])
        .when(Command::Place(command(date)))
        .then([created(date)])
        .when(Command::Place(command(date)))
        .then_refused(Refusal::Exists);
    given::<Order>([created(date)])
        .when(Command::Reserve)
        .then([reserved(date)])
        .when(Command::Pay)
        .then([OrderEvent::PaymentTaken(paid)])
        .when(Command::Confirm)
        .then([OrderEvent::Confirmed { order_id: order_id.clone(), shipped_at }])
        .when(Command::Ship)
        .then([OrderEvent::Shipped { order_id, shipped_at: "1996-07-16".to_owned() }]);
}

#[test]
fn what_cannot_be_paid_is_released_and_cancelled_for_the_same_reason() {
    let (order_id, reason) = ("A".to_owned(), "too dear".to_owned());
    given::<Order>([created(None), reserved(None)])
        .when(Command::Decline { reason: reason.clone() })
        .then([OrderEvent::PaymentDeclined(PaymentDeclined {
            order_id: order_id.clone(),
            reason: reason.clone(),
        })])
        .when(Command::Release)
        .then([OrderEvent::StockReleased(StockReleased {
            order_id: order_id.clone(),
            reason: reason.clone(),
        })])
        .when(Command::Cancel)
        .then([OrderEvent::Cancelled { order_id, reason }]);
}

#[test]
fn an_order_does_nothing_out_of_turn() {
    let early =
        [Command::Reserve, Command::Pay, Command::Confirm, Command::Release, Command::Cancel, Command::Ship];
    for command in early {
        given::<Order>([]).when(command.clone()).then_refused(refused(Stage::NotPlaced, &command));
    }
    for command in [Command::Reserve, Command::Confirm, Command::Release, Command::Cancel, Command::Ship] {
        let order = given::<Order>([created(None), reserved(None)]);
        order.when(command.clone()).then_refused(refused(Stage::Reserved, &command));
    }
    assert_eq!(
        refused(Stage::Reserved, &Command::Ship).to_string(),
        "an order that is reserved cannot be shipped"
    );
}
