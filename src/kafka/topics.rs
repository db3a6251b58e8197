//! The topics of a job, and with what settings they are made when they are missing.
//!
//! 1. All of them carry the broker's time (`LogAppendTime`). A retention that went by the times of the sales would delete
//!    last year's replay at once; and a sale's date is judged against the broker's clock, not against that of a till.
//! 2. Tables with a key are compacted to the last revision of each row *and* forget after a while, because the ends of
//!    windows never come back. Revisions stay readable for a while before they may go.
//! 3. The recorded bindings are never compacted: each one is needed, until `keep_bindings` has passed.
//! 4. Outputs have one partition: the order of rows is part of what is promised.

use super::admin::Topic;
use crate::settings::kafka::Kafka;
use dataflows::edge::Table;

/// How long rows are kept, in milliseconds: 30 days.
const ROWS: i64 = 30 * 86_400_000;

/// How long a superseded revision stays readable, in milliseconds: an hour.
const REVISIONS: i64 = 3_600_000;

/// The topic of the sales.
pub fn sales(kafka: &Kafka) -> Topic {
    topic(kafka, kafka.topic.clone(), kafka.partitions, vec![])
}

/// The topic that says what is in stock.
pub fn stock(kafka: &Kafka) -> Option<Topic> {
    kafka.stock.as_ref().map(|name| topic(kafka, name.clone(), kafka.partitions, vec![]))
}

/// The name of a table's topic.
pub fn table_name(kafka: &Kafka, table: Table) -> String {
    format!("{}{}", kafka.prefix, table.name())
}

/// The topic of a table.
pub fn table(kafka: &Kafka, table: Table) -> Topic {
    let mut config = match table {
        Table::Windows | Table::SellerFeatures | Table::CategoryFeatures | Table::ProductFeatures | Table::CustomerFeatures => {
            vec![("cleanup.policy", "compact,delete".to_owned()), ("min.compaction.lag.ms", REVISIONS.to_string())]
        }
        Table::Events | Table::Suppressed | Table::DeadLetters | Table::Episodes | Table::Scores => {
            vec![("cleanup.policy", "delete".to_owned())]
        }
    };
    config.push(("retention.ms", ROWS.to_string()));
    topic(kafka, table_name(kafka, table), 1, config)
}

/// The name of the topic of recorded bindings.
pub fn progress_name(kafka: &Kafka) -> String {
    format!("{}progress", kafka.prefix)
}

/// The topic of recorded bindings.
pub fn progress(kafka: &Kafka) -> Topic {
    let config = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", kafka.keep_bindings.to_string()),
        ("retention.bytes", "-1".to_owned()),
    ];
    topic(kafka, progress_name(kafka), 1, config)
}

/// Where a job writes.
pub fn outputs(kafka: &Kafka) -> Vec<Topic> {
    let tables = Table::ALL.into_iter().map(|of| table(kafka, of));
    tables.chain([progress(kafka)]).collect()
}

/// All topics of a job.
pub fn all(kafka: &Kafka) -> Vec<Topic> {
    [sales(kafka)].into_iter().chain(stock(kafka)).chain(outputs(kafka)).collect()
}

fn topic(kafka: &Kafka, name: String, partitions: i32, mut config: Vec<(&'static str, String)>) -> Topic {
    config.push(("message.timestamp.type", "LogAppendTime".to_owned()));
    Topic { name, partitions, replication: kafka.replication, config }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Given, Settings};

    fn kafka() -> Kafka {
        Settings::load(&Given::default()).unwrap().kafka
    }

    #[test]
    fn all_topics_have_the_names_of_the_contract() {
        let names: Vec<(String, i32)> = all(&kafka()).into_iter().map(|topic| (topic.name, topic.partitions)).collect();
        let expected = [
            ("sales", 6),
            ("vitrine.windows", 1),
            ("vitrine.seller_features", 1),
            ("vitrine.category_features", 1),
            ("vitrine.events", 1),
            ("vitrine.suppressed", 1),
            ("vitrine.dead_letters", 1),
            ("vitrine.episodes", 1),
            ("vitrine.product_features", 1),
            ("vitrine.customer_features", 1),
            ("vitrine.scores", 1),
            ("vitrine.progress", 1),
        ];
        assert_eq!(names, expected.map(|(name, partitions)| (name.to_owned(), partitions)));
    }

    #[test]
    fn bindings_are_never_compacted_and_kept_as_long_as_the_settings_say() {
        let config = progress(&Kafka { keep_bindings: 5_000, ..kafka() }).config;
        assert!(config.contains(&("cleanup.policy", "delete".into())), "{config:?}");
        assert!(config.contains(&("retention.ms", "5000".into())), "{config:?}");
    }

    #[test]
    fn no_topic_forgets_by_the_date_of_a_sale() {
        for topic in all(&kafka()) {
            assert!(topic.config.contains(&("message.timestamp.type", "LogAppendTime".into())), "{topic:?}");
        }
    }
}
