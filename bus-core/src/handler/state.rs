//! The application's state: values by type, handed to handlers that ask for them.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A part of a larger state, for [`App::state_from_ref`](crate::App::state_from_ref).
pub trait FromRef<S> {
    /// The part, out of the whole.
    fn from_ref(whole: &S) -> Self;
}

/// Values by type.
#[derive(Clone, Default)]
pub struct States {
    values: HashMap<TypeId, Value>,
    derived: Vec<Derive>,
}

type Value = (&'static str, Arc<dyn Any + Send + Sync>);
type Derive = Arc<dyn Fn(&States) -> Option<(TypeId, Value)> + Send + Sync>;

impl States {
    /// Puts `value` in, replacing another one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), (type_name::<T>(), Arc::new(value)));
    }

    /// Says that `T` is a part of `S`: it is taken out of `S` at start-up, unless a `T` is put in by itself.
    pub fn insert_from_ref<S, T>(&mut self)
    where
        S: Send + Sync + 'static,
        T: FromRef<S> + Send + Sync + 'static,
    {
        self.derived.push(Arc::new(|states| {
            let part: Arc<dyn Any + Send + Sync> = Arc::new(T::from_ref(states.get::<S>()?));
            Some((TypeId::of::<T>(), (type_name::<T>(), part)))
        }));
    }

    /// The value of type `T`.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>()).and_then(|(_, value)| value.downcast_ref())
    }

    /// Whether there is a value of the type.
    pub fn contains(&self, id: TypeId) -> bool {
        self.values.contains_key(&id)
    }

    /// Takes everything of `other`, whose values win.
    pub fn merge(&mut self, other: States) {
        self.values.extend(other.values);
        self.derived.extend(other.derived);
    }

    /// Takes the parts out of their wholes.
    pub(crate) fn resolve(&mut self) {
        for derive in std::mem::take(&mut self.derived) {
            if let Some((id, value)) = derive(self) {
                self.values.entry(id).or_insert(value);
            }
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.values().map(|(name, _)| name)).finish()
    }
}
