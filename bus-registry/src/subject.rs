//! Under which subject a registry keeps the schema of an event.

/// How subjects are named, by the names that Confluent's clients have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SubjectNaming {
    /// `{topic}-value`, the default of Confluent's clients: for topics with one type of events alone. Two types on one topic are
    /// an error at the start.
    TopicName,
    /// The name of the record: one schema for an event on all topics.
    RecordName,
    /// `{topic}-{name of the record}`, the default here, since the topic of an aggregate has events of several types.
    #[default]
    TopicRecordName,
}

impl SubjectNaming {
    /// The subject of `record` on `topic`.
    pub fn subject(self, topic: &str, record: &str) -> String {
        match self {
            SubjectNaming::TopicName => format!("{topic}-value"),
            SubjectNaming::RecordName => record.to_owned(),
            SubjectNaming::TopicRecordName => format!("{topic}-{record}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_as_confluents_clients_name_them() {
        let subject = |naming: SubjectNaming| naming.subject("Order-events", "shop.OrderPaid");
        assert_eq!(subject(SubjectNaming::TopicName), "Order-events-value");
        assert_eq!(subject(SubjectNaming::RecordName), "shop.OrderPaid");
        assert_eq!(subject(SubjectNaming::TopicRecordName), "Order-events-shop.OrderPaid");
    }
}
