//! The sink on a broker that does transactions: what a reader sees of an end, a death, a start and a zombie.

use super::broker::{Broker, shared};
use super::read::{Read, Sees, read};
use dataflows::clock::Binding;
use dataflows::edge::{RowSink, Table, TickRows};
use dataflows::message::Original;
use vitrine::engine::Stop;
use vitrine::error::Error;
use vitrine::fault::Kill;
use vitrine::kafka::topics;
use vitrine::settings::kafka::{Delivery, Kafka};
use vitrine::sink::kafka::{KafkaSink, Recovered, Wanted, open};
use vitrine::source::bindings;

fn binding(epoch: u64) -> Binding {
    bindings::read(&format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[[0,{},{}]]}}"#, 10 * epoch, 10 * epoch + 10))
        .unwrap()
}

fn window(end: u64) -> String {
    format!(r#"{{"window":"60s/30s","window_start":"s","window_end":"{end}","revision":0,"total_sales":{end}}}"#)
}

/// Rows of `windows`.
fn rows(lines: &[String]) -> TickRows {
    let mut rows = TickRows { certificate: "c".into(), ..TickRows::default() };
    rows.lines[Table::Windows as usize] = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    rows
}

fn wanted<'a>(kafka: &'a Kafka, fingerprint: &str) -> Wanted<'a> {
    Wanted {
        kafka,
        tables: Table::ALL.to_vec(),
        fingerprint: fingerprint.into(),
        from: None,
        group: true,
        stop: Stop::default(),
        kill: Kill::default(),
    }
}

fn begin(kafka: &Kafka) -> (KafkaSink, Recovered) {
    open(wanted(kafka, "f")).unwrap()
}

/// Hands over an epoch with one window.
fn hand(sink: &mut KafkaSink, epoch: u64) -> Result<(), String> {
    sink.tick(&rows(&[window(epoch)]))?;
    sink.epoch(&binding(epoch))
}

/// Until an epoch is committed, or the sink has failed.
fn committed(sink: &KafkaSink, epoch: u64) {
    while sink.failure().is_none() && sink.stats().epoch.is_none_or(|done| done < epoch) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn table(kafka: &Kafka, table: Table, sees: Sees) -> Vec<Read> {
    read(kafka, &topics::table_name(kafka, table), sees)
}

/// The values of `windows`.
fn windows(kafka: &Kafka, sees: Sees) -> Vec<String> {
    table(kafka, Table::Windows, sees).into_iter().map(|read| read.value.unwrap_or("-".into())).collect()
}

fn said(epochs: std::ops::RangeInclusive<u64>) -> Vec<String> {
    epochs.map(window).collect()
}

fn header<'a>(read: &'a Read, name: &str) -> Option<&'a str> {
    read.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
}

#[test]
fn what_is_not_a_whole_epoch_is_never_seen() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("whole");
    let (mut sink, recovered) = begin(&kafka);
    assert_eq!(recovered, Recovered::default());
    hand(&mut sink, 0).unwrap();
    committed(&sink, 0);
    sink.tick(&rows(&[window(1)])).unwrap();
    while windows(&kafka, Sees::All).len() < 2 {}
    drop(sink);
    assert_eq!(windows(&kafka, Sees::Committed), said(0..=0));
    assert_eq!(windows(&kafka, Sees::All), said(0..=1), "it was written and aborted");
}

#[test]
fn a_start_goes_on_where_the_last_commit_was() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("again");
    let (mut sink, _) = begin(&kafka);
    (0..3).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    committed(&sink, 2);
    sink.tick(&rows(&[window(3)])).unwrap();
    drop(sink);

    let (mut sink, recovered) = begin(&kafka);
    assert_eq!((recovered.last_epoch, recovered.certificate.as_deref()), (Some(2), Some("c")));
    assert_eq!(recovered.after(Some(0)).unwrap(), [binding(1), binding(2)]);
    let offset = sink.offset_of(2).unwrap();
    assert!(sink.offset_of(3).is_none());
    (0..5).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    sink.epoch(&Binding { stop: true, ..binding(5) }).unwrap();
    sink.finish().unwrap();
    assert_eq!(windows(&kafka, Sees::Committed), said(0..=4), "nothing twice, nothing lost, in order");

    // From a checkpoint: neither what was before it is read, nor is it handed over.
    let (mut sink, recovered) = open(Wanted { from: Some(offset), ..wanted(&kafka, "f") }).unwrap();
    assert_eq!(recovered.last_epoch, Some(4));
    assert_eq!(recovered.after(Some(2)).unwrap(), [binding(3), binding(4)]);
    sink.resume(3);
    (3..6).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    sink.finish().unwrap();
    assert_eq!(windows(&kafka, Sees::Committed), said(0..=5));
}

#[test]
fn a_zombie_is_fenced_and_says_so() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("zombie");
    let mut zombie = wanted(&kafka, "f");
    let stop = Stop::default();
    zombie.stop = stop.clone();
    let (mut zombie, _) = open(zombie).unwrap();
    hand(&mut zombie, 0).unwrap();
    committed(&zombie, 0);
    zombie.tick(&rows(&[window(77)])).unwrap();

    let (mut sink, recovered) = begin(&kafka);
    assert_eq!(recovered.last_epoch, Some(0));
    let (mut epoch, mut refusal) = (1, None);
    while refusal.is_none() {
        refusal = hand(&mut zombie, epoch).err();
        epoch += 1;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(refusal.unwrap().starts_with(&format!("another run of the job {:?} has taken over", kafka.job)));
    assert!(matches!(zombie.failure(), Some(Error::Output(_))) && stop.requested());
    assert!(zombie.finish().is_err());
    (0..3).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    sink.finish().unwrap();
    assert_eq!(windows(&kafka, Sees::Committed), said(0..=2));
}

#[test]
fn other_settings_and_a_broken_history_are_refused() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("refused");
    let (mut sink, _) = begin(&kafka);
    hand(&mut sink, 0).unwrap();
    sink.finish().unwrap();
    let refusal = open(wanted(&kafka, "g")).map(|_| ()).unwrap_err();
    assert!(matches!(&refusal, Error::Settings(text) if text.contains("ran with other settings before")), "{refusal}");

    let gap = Kafka { job: "other".into(), ..kafka };
    let (mut sink, recovered) = begin(&gap);
    assert_eq!(recovered.last_epoch, None, "each job has a history of its own");
    sink.resume(5);
    hand(&mut sink, 5).unwrap();
    sink.finish().unwrap();
    let (_, recovered) = begin(&gap);
    let refusal = recovered.after(Some(3)).unwrap_err().to_string();
    assert!(refusal.contains("the progress topic begins with epoch 5, and epoch 4 is needed"), "{refusal}");
}

fn letters(lines: &[String], originals: Vec<Original>) -> TickRows {
    let mut rows = TickRows { originals, ..TickRows::default() };
    rows.lines[Table::DeadLetters as usize] = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    rows
}

fn letter(offset: u64, payload: &str) -> String {
    let errors = r#"[{"code":"bad_price","field":"price","message":"no number"}]"#;
    format!(
        r#"{{"source":"sales","partition":3,"offset":{offset},"timestamp":null,"disposition":"rejected","errors":{errors},"payload":{}}}"#,
        serde_json::to_string(payload).unwrap()
    )
}

#[test]
fn records_are_keyed_named_and_taken_back_and_dead_letters_come_as_they_were() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("records");
    let (mut sink, _) = begin(&kafka);
    let huge = "x".repeat(999_900);
    let original = Original { key: Some(b"Norte".to_vec()), headers: vec![("trace".into(), Some(b"7".to_vec()))] };
    sink.tick(&letters(&[letter(70, "{\"price\": \"\"}"), letter(71, &huge)], vec![original.clone(), original])).unwrap();
    let deleted = r#"{"window":"60s/30s","window_start":"s","window_end":"1","revision":4,"deleted":true}"#;
    sink.tick(&rows(&[window(1), deleted.to_owned()])).unwrap();
    sink.epoch(&binding(0)).unwrap();
    sink.finish().unwrap();

    let written = table(&kafka, Table::Windows, Sees::Committed);
    let key = r#"{"window":"60s/30s","window_start":"s","window_end":"1"}"#;
    assert_eq!(written.iter().map(|read| read.key.as_deref()).collect::<Vec<_>>(), [Some(key), Some(key)]);
    assert_eq!(written.iter().map(|read| read.value.clone()).collect::<Vec<_>>(), [Some(window(1)), None]);
    assert_eq!(header(&written[1], "vitrine-revision"), Some("4"));
    assert!(written.iter().all(|read| header(read, "vitrine-id").is_some_and(|id| id.len() == 32)));

    let dead = table(&kafka, Table::DeadLetters, Sees::Committed);
    assert_eq!(dead.len(), 2);
    let of = |read: &Read| (read.key.clone().unwrap(), read.value.clone());
    assert_eq!(of(&dead[0]), ("Norte".into(), Some("{\"price\": \"\"}".into())));
    assert_eq!((header(&dead[0], "trace"), header(&dead[0], "__connect.errors.offset")), (Some("7"), Some("70")));
    // What is too large with our headers is told without its value: it still stands where it came from.
    assert_eq!(of(&dead[1]), ("Norte".into(), None));
    assert_eq!(
        (header(&dead[1], "vitrine-payload-bytes"), header(&dead[1], "__connect.errors.offset")),
        (Some("999900"), Some("71"))
    );
    assert_eq!(sink.stats().cut, 1);
    // Lag tools see how far we are.
    assert_eq!(told(&kafka), Some(10));
}

/// The offset that the group has committed for partition 0 of the sales.
fn told(kafka: &Kafka) -> Option<i64> {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let consumer: BaseConsumer = vitrine::kafka::client::consumer(kafka).unwrap().create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition(&kafka.topic, 0);
    let list = consumer.committed_offsets(list, std::time::Duration::from_secs(30)).unwrap();
    list.elements()[0].offset().to_raw()
}

#[test]
fn at_least_once_says_the_same_without_transactions() {
    let Some(broker) = shared() else { return };
    let kafka = Kafka { delivery: Delivery::AtLeastOnce, ..broker.settings("least") };
    let (mut sink, _) = begin(&kafka);
    hand(&mut sink, 0).unwrap();
    while windows(&kafka, Sees::Committed).is_empty() {}
    hand(&mut sink, 1).unwrap();
    sink.finish().unwrap();
    let (mut sink, recovered) = begin(&kafka);
    assert_eq!((recovered.last_epoch, recovered.after(None).unwrap()), (Some(1), vec![binding(0), binding(1)]));
    (0..3).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    sink.finish().unwrap();
    let written = table(&kafka, Table::Windows, Sees::Committed);
    assert_eq!(written.iter().map(|read| read.value.clone().unwrap()).collect::<Vec<_>>(), said(0..=2));
    let offsets: Vec<i64> = written.iter().map(|read| read.offset).collect();
    assert_eq!(offsets, [0, 1, 2], "no marks of transactions");
}

#[test]
fn a_broker_that_goes_and_comes_back_costs_nothing() {
    if !super::broker::available() {
        return;
    }
    let mut broker = Broker::start();
    let kafka = broker.settings("restart");
    let (mut sink, _) = begin(&kafka);
    hand(&mut sink, 0).unwrap();
    committed(&sink, 0);
    broker.kill();
    (1..40).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    broker.up();
    (40..60).for_each(|epoch| hand(&mut sink, epoch).unwrap());
    sink.finish().unwrap();
    assert_eq!(windows(&kafka, Sees::Committed), said(0..=59));
}
