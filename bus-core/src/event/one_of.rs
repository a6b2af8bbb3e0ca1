//! One of several events, of whatever aggregates.

use super::{DecodeError, DomainEvent, EventType, StoredPayload};

/// One of several events, which may belong to different aggregates: what follows several of them and tells them apart.
///
/// Each event is one of its own types. A sum of events that exist already is an enum of them, with
/// `#[derive(OneOf)]`, which writes no more than a person can:
///
/// ```
/// use jitney_core::event::{DecodeError, DomainEvent, EventType, OneOf, StoredPayload};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct OrderPlaced { order_id: String }
/// # #[derive(serde::Serialize, serde::Deserialize)] struct PaymentTaken { order_id: String }
/// # macro_rules! event { ($type:ident, $aggregate:literal) => {
/// #     impl DomainEvent for $type {
/// #         const TYPES: &'static [EventType] =
/// #             &[EventType::new(stringify!($type), $aggregate, jitney_core::event::Version::new(1, 0), "t")];
/// #         fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
/// #         fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
/// #     }
/// # } }
/// # event!(OrderPlaced, "Order");
/// # event!(PaymentTaken, "Payment");
/// enum Followed {
///     Placed(OrderPlaced),
///     Paid(PaymentTaken),
/// }
///
/// impl OneOf for Followed {
///     fn types() -> Vec<&'static EventType> {
///         [OrderPlaced::accepts(), PaymentTaken::accepts()].concat()
///     }
///
///     fn type_of(&self) -> &'static EventType {
///         match self {
///             Followed::Placed(event) => event.event_type(),
///             Followed::Paid(event) => event.event_type(),
///         }
///     }
///
///     fn read(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
///         match () {
///             () if <OrderPlaced as OneOf>::reads(payload) => OrderPlaced::decode(payload).map(Followed::Placed),
///             () if <PaymentTaken as OneOf>::reads(payload) => PaymentTaken::decode(payload).map(Followed::Paid),
///             () => Err(payload.unknown()),
///         }
///     }
/// }
/// assert_eq!(Followed::types().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an event nor one of several",
    label = "no event",
    note = "derive it on an enum of events: `#[derive(OneOf)] enum Followed {{ Placed(OrderPlaced), Paid(PaymentTaken) }}`"
)]
pub trait OneOf: Sized + Send + 'static {
    /// The event types that [`read`](Self::read) reads: the current ones and those that are upcast. It runs at start-up, not
    /// per event.
    fn types() -> Vec<&'static EventType>;

    /// The event type of this value.
    fn type_of(&self) -> &'static EventType;

    /// Reads a stored payload of any of [`types`](Self::types), bringing old versions up to date.
    ///
    /// # Errors
    ///
    /// Those of [`DomainEvent::decode`]; also when the payload is of none of the types.
    fn read(payload: &StoredPayload<'_>) -> Result<Self, DecodeError>;

    /// Whether `payload` is of one of the types, in a version that can be read, and of its aggregate where that is known.
    fn reads(payload: &StoredPayload<'_>) -> bool {
        Self::types().into_iter().any(|event_type| payload.is_of(event_type))
    }
}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent> OneOf for E {
    fn types() -> Vec<&'static EventType> {
        E::accepts()
    }

    fn type_of(&self) -> &'static EventType {
        self.event_type()
    }

    fn read(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        E::decode(payload)
    }

    fn reads(payload: &StoredPayload<'_>) -> bool {
        // Most payloads are of a current type, which needs no list of the old ones.
        let is = |event_type: &EventType| payload.is_of(event_type);
        E::TYPES.iter().any(is) || E::accepts().into_iter().any(is)
    }
}
