//! The order system on a bus and a store, with recipients; and what it leaves behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::handler::HandlerSpec;
use jitney::message::Message;
use jitney::prelude::*;
use jitney::privacy::{MasterKey, MasterKeys, Revealed, Vault, VaultBuilder};
use jitney::{Env, privacy};
use serde_json::Value;

use super::input::Input;
use super::places::{Found, Place, files};
use super::spy::{Spy, bytes};
use crate::orders::app::{Views, app, sourced};
use crate::orders::carry::LEASE;
use crate::orders::cli::DATA;
use crate::orders::events::PlaceOrder;
use crate::orders::input::Catalogue;
use crate::orders::mail::{Customers, Mail};
use crate::orders::order::{Command, Order};
use crate::orders::past::chains;
use crate::orders::recipient::{OrderAddressed, Recipient, subject};
use crate::orders::run::{Ending, Work, run};
use crate::orders::scope::Scope;
use crate::orders::stock::Stock;
use crate::orders::store::Store;
use crate::orders::whole::orders;
use crate::orders::{keys, query};

/// The shop behind its day's work: nobody is at work any more, and everything is where it was put.
pub struct Shop {
    pub input: Input,
    pub views: Views,
    /// What went over the bus.
    pub events: Vec<RawEvent>,
    /// What was given up.
    pub dead_letters: Vec<Message>,
    pub store: Option<Store>,
    pub vault: Vault,
    place: Place,
    folder: PathBuf,
}

fn master() -> MasterKeys {
    MasterKeys::new(MasterKey::new("m1", [7; 32]).unwrap())
}

impl Shop {
    /// Has all orders of the input pass through the services on the bus at `url`.
    pub async fn of(url: &str, place: Place) -> Self {
        super::log::keep();
        let input = Input::northwind();
        let folder = std::env::temp_dir().join(format!("jitney-proof-keys-{}", Env::system().new_id()));
        std::fs::create_dir_all(&folder).unwrap();
        let customers = folder.join("customers.jsonl");
        std::fs::write(&customers, &input.file).unwrap();
        let customers = Customers::read(&customers).unwrap();
        // Not among what is searched: it is where the names come from.
        std::fs::remove_file(folder.join("customers.jsonl")).unwrap();
        let vault = keys_in(&folder).await.open().await.unwrap();

        let plain = Bus::connect(url).await.unwrap();
        let bus = plain.clone().with_layer(vault.layer());
        let store = match place.url() {
            Some(url) => Some(Store::open(&url, Some(Arc::new(vault.clone()))).await.unwrap()),
            None => None,
        };
        let catalogue = Catalogue::read(format!("{DATA}/products.jsonl").as_ref()).unwrap();
        let mut views = Views {
            stock: Stock::new(catalogue.in_stock()),
            mail: Some(Mail { customers, ..Mail::default() }),
            ..Views::default()
        };
        if bus.capabilities().durable {
            views.scope = Scope::new(bus.env(), chains(store.as_ref(), &[]).await.unwrap());
        }
        let build = || match &store {
            Some(store) => sourced(bus.clone(), &views, orders(store, &views).unwrap()),
            None => app(bus.clone(), &views),
        };
        if bus.capabilities().durable {
            build().provision().await.unwrap();
        }
        let spy = Spy::on(&plain).await;
        let carrier = match &store {
            Some(store) => Some(store.carry(&bus, LEASE).await.unwrap()),
            None => None,
        };
        let running = build().keep_buses_open().spawn().await.unwrap();
        let work = Work {
            input: input.orders.as_bytes(),
            catalogue: &catalogue,
            history: &[],
            store: store.as_ref(),
            repeat: 1,
        };
        let reject = |reject: crate::orders::input::Reject| panic!("{}", reject.why);
        let ending = run(&running, &views, work, carrier.as_ref(), reject, |_, _| {}).await.unwrap();
        assert_eq!(ending, Ending::Complete);
        let run = views.scope.clone();
        let is_of_run = |event: &RawEvent| {
            input.customers.contains_key(&*event.head().aggregate_id) && is_addressed(event)
        };
        spy.until(input.customers.len(), is_of_run).await;
        let groups: Vec<_> = running.health().groups.into_iter().map(|group| group.name).collect();
        let mut dead_letters = Vec::new();
        for group in &groups {
            dead_letters.extend(plain.admin().unwrap().dead_letters(group, 1000).await.unwrap());
        }
        running.shutdown().await.unwrap();
        if let Some(carrier) = carrier {
            carrier.shutdown().await.unwrap();
        }
        let events = spy.end().await;
        run.clear(&plain, groups).await.unwrap();
        plain.close(Duration::from_secs(30)).await.unwrap();
        Shop { input, views, events, dead_letters, store, vault, place, folder }
    }

    /// Puts one more order of `customer` into the store, when nobody carries it to the bus.
    pub async fn order_unsent(&self, customer: &str) {
        let Some(store) = &self.store else { return };
        let orders: Repository<Order> = orders(store, &self.views).unwrap();
        let order = PlaceOrder {
            order_id: "unsent".to_owned(),
            customer_id: customer.to_owned(),
            ordered_at: "1998-05-06".to_owned(),
            shipped_at: None,
            items: Vec::new(),
        };
        orders.handle("unsent", Command::Place(order)).await.unwrap();
        let recipient = self.input.recipients[customer].clone();
        let recipient = privacy::Personal::new(subject(customer).unwrap(), recipient);
        orders.handle("unsent", Command::Address(recipient)).await.unwrap();
    }

    /// Forgets `customer`, as the command does.
    pub async fn forget(&self, customer: &str) {
        let vault = keys_in(&self.folder).await;
        match &self.store {
            Some(store) => {
                let mut told = Vec::new();
                keys::forget(store, vault, customer, Duration::ZERO, &mut told).await.unwrap();
                let told = String::from_utf8(told).unwrap();
                assert!(told.contains(&format!("`customer/{customer}` was forgotten")), "{told}");
            }
            None => {
                vault.open().await.unwrap().forget(&subject(customer).unwrap()).await.unwrap();
            }
        }
    }

    /// How the places end in which orders are to be found.
    pub fn with_orders(&self) -> Vec<&'static str> {
        [&["the bus", "the dead letters"], self.place.with_orders()].concat()
    }

    /// What is left anywhere, and where.
    pub async fn everything(&self) -> Found {
        let mut all = self.place.everything().await;
        all.extend(files(&self.folder));
        all.push((
            "the bus".to_owned(),
            self.events.iter().flat_map(|event| bytes(event.message())).collect(),
        ));
        all.push(("the dead letters".to_owned(), self.dead_letters.iter().flat_map(bytes).collect()));
        all.push(("the log".to_owned(), super::log::logged().into()));
        all
    }

    /// Who gets each order, by what went over the bus; none where that is forgotten.
    pub async fn on_the_bus(&self) -> BTreeMap<String, Option<Recipient>> {
        let memory = Bus::connect("memory://").await.unwrap();
        let seen = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let log = Arc::clone(&seen);
        let read = move |addressed: OrderAddressed| {
            let recipient = match addressed.recipient.reveal() {
                Revealed::Known(recipient) => Some(recipient.clone()),
                Revealed::Erased => None,
                Revealed::Sealed => panic!("there is a vault"),
            };
            log.lock().unwrap().insert(addressed.order_id, recipient);
            std::future::ready(())
        };
        let vault = keys_in(&self.folder).await.open().await.unwrap();
        let bus = memory.clone().with_layer(vault.layer());
        let reading = App::new("reading", bus)
            .handlers(HandlerSet::new().handler(HandlerSpec::new("read"), read))
            .spawn()
            .await
            .unwrap();
        let of_run = |event: &&RawEvent| self.input.customers.contains_key(&*event.head().aggregate_id);
        for event in self.events.iter().filter(of_run).filter(|event| is_addressed(event)) {
            memory.republish(event).await.unwrap();
        }
        let env = memory.env();
        let all = async {
            while seen.lock().unwrap().len() < self.input.customers.len() {
                env.sleep(Duration::from_millis(10)).await;
            }
        };
        env.timeout(crate::server::PATIENCE, all).await.unwrap();
        reading.shutdown().await.unwrap();
        let mut read = seen.lock().unwrap();
        std::mem::take(&mut *read)
    }

    /// The figures of all that the store has.
    pub async fn figures(&self) -> Option<Value> {
        let store = self.store.as_ref()?;
        let bus = Bus::connect("memory://").await.unwrap().with_layer(self.vault.layer());
        let views = Views::default();
        let report = query::as_of(bus, store, "9999-01-01T00:00:00Z".parse().unwrap(), &views).await.unwrap();
        Some(serde_json::to_value(report).unwrap())
    }

    /// Whom each order is for, by the order itself, loaded from its snapshot.
    pub async fn by_the_orders(&self) -> BTreeMap<String, String> {
        let mut orders_by_id = BTreeMap::new();
        let Some(store) = &self.store else { return orders_by_id };
        let vault = keys_in(&self.folder).await.open().await.unwrap();
        // As a process that has just started.
        let store = match (&self.place, self.place.url()) {
            (Place::Memory, _) | (_, None) => store.clone(),
            (_, Some(url)) => Store::open(&url, Some(Arc::new(vault))).await.unwrap(),
        };
        let orders: Repository<Order> = orders(&store, &self.views).unwrap();
        for id in self.input.customers.keys() {
            let order = orders.load(id).await.unwrap().to_string();
            let (_, whom) = order.split_once(", for ").unwrap_or_else(|| panic!("{order}"));
            let whom = whom.split_once(", declined").map_or(whom, |(whom, _)| whom);
            orders_by_id.insert(id.clone(), whom.to_owned());
        }
        orders_by_id
    }
}

/// The vault of any process: none of them knows a key for longer than it uses it.
async fn keys_in(folder: &std::path::Path) -> VaultBuilder {
    let url = format!("sqlite://{}", folder.join("keys.db").display());
    keys::stored(&url, master()).await.unwrap().forget_within(Duration::ZERO)
}

fn is_addressed(event: &RawEvent) -> bool {
    event.head().event_type == "OrderAddressed"
}

impl Drop for Shop {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's directory for such files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
