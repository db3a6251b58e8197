//! What leaves when, epoch by epoch, whoever was quick.

use super::*;
use crate::message::Original;
use crate::plan::Spec;
use proptest::prelude::*;

fn plan() -> Arc<Plan> {
    Arc::new(Plan::new(&Spec::default()).unwrap())
}

fn binding(epoch: u64, before: u32, after: u32) -> Binding {
    Binding {
        epoch,
        before,
        after,
        blocks: vec![],
        last: None,
        stop: false,
        checkpoint: false,
        added: vec![],
        weight: (0, 0),
        newest: None,
    }
}

fn letter(epoch: u64, s: u32, places: &[(u32, u64)]) -> Word {
    let mut batch = Batch::new(s, Table::DeadLetters);
    for (input, offset) in places {
        batch.row_with_cuts((*input, *offset), "", |text| {
            text.extend_from_slice(b"{source,");
            let cut = (text.len() - 7, text.len());
            text.extend_from_slice(format!("{input}:{offset}}}\n").as_bytes());
            [cut]
        });
    }
    let original = |offset: &u64| Original { key: Some(offset.to_string().into_bytes()), headers: vec![] };
    Word::Letters(epoch, Letters { batch, originals: places.iter().map(|(_, offset)| original(offset)).collect() })
}

fn row(s: u32, end: u32, text: &str) -> Batch {
    of(Table::Windows, s, end, text)
}

fn of(table: Table, s: u32, end: u32, text: &str) -> Batch {
    let mut batch = Batch::new(s, table);
    batch.row((end, 0), "", |out| out.extend_from_slice(format!("{text}\n").as_bytes()));
    batch
}

/// What leaves now, in words.
fn leaves(order: &mut Order, open: u32) -> Vec<String> {
    leaves_when(order, Complete { first: open, all: open })
}

fn leaves_when(order: &mut Order, complete: Complete) -> Vec<String> {
    let mut said = vec![];
    while let Some(next) = order.next(complete) {
        said.push(match next {
            Leaves::Epoch(binding) => format!("end of {}", binding.epoch),
            Leaves::Rows(rows) => {
                let text: Vec<String> =
                    rows.lines.iter().map(|lines| String::from_utf8_lossy(lines).replace('\n', " ")).collect();
                let keys = rows.originals.iter().filter_map(|original| original.key.clone()).flatten().map(char::from);
                format!("{} {}{}", rows.learned, text.concat(), keys.collect::<String>()).trim_end().into()
            }
        });
    }
    said
}

#[test]
fn letters_then_ticks_then_the_end() {
    let mut order = Order::new(plan(), 2, Certificate::default());
    let done = |epoch, binding: Option<Binding>| Word::Done(epoch, binding.map(Box::new));
    order.hear(letter(4, 6, &[(1, 7), (0, 9)]));
    order.hear(done(4, Some(binding(4, 5, 5))));
    order.hear(letter(5, 6, &[(0, 10)]));
    order.hear(done(5, Some(binding(5, 5, 8))));
    assert_eq!(leaves(&mut order, 6), [""; 0], "the other worker may have letters of epoch 4");
    order.hear(letter(4, 6, &[(0, 3)]));
    order.hear(done(4, None));
    let letters = "6 {source,0:3} {source,0:9} {source,1:7} 397";
    assert_eq!(leaves(&mut order, 6), [letters, "end of 4"], "no tick need close for an epoch that closes none");
    order.hear(done(5, None));
    order.first(row(7, 9, "b"));
    order.first(row(6, 6, "z"));
    order.first(row(7, 8, "a"));
    assert_eq!(leaves(&mut order, 7), ["6 {source,0:10} 10", "6 z"]);
    assert_eq!(leaves(&mut order, 8), ["7 a b"]);
    assert_eq!(leaves(&mut order, 9), ["end of 5"]);
    assert_eq!(leaves(&mut order, u32::MAX), [""; 0]);
}

#[test]
fn the_end_of_the_inputs_closes_what_is_open() {
    let mut order = Order::new(plan(), 1, Certificate::default());
    let last = Binding { last: Some(20), ..binding(0, 5, 18) };
    let close = last.ending().unwrap().close(&plan());
    assert!(close > 20);
    order.hear(Word::Done(0, Some(Box::new(last))));
    order.first(row(6, 1, "whole"));
    order.first(row(close, 1, "partial"));
    assert_eq!(leaves(&mut order, 19), ["6 whole"]);
    assert_eq!(leaves(&mut order, close), [""; 0]);
    assert_eq!(leaves(&mut order, close + 1), [format!("{close} partial"), "end of 0".into()]);
}

#[test]
fn windows_do_not_wait_for_features() {
    let mut order = Order::new(plan(), 1, Certificate::default());
    let done = |epoch, binding| Word::Done(epoch, Some(Box::new(binding)));
    order.hear(done(0, binding(0, 5, 7)));
    order.hear(done(1, binding(1, 7, 8)));
    (6..=8).for_each(|s| order.first(row(s, s, "window")));
    assert_eq!(leaves_when(&mut order, Complete { first: 9, all: 6 }), ["6 window"], "6 may still have features");
    order.other(of(Table::SellerFeatures, 6, 6, "seller"));
    order.other(of(Table::Scores, 7, 7, "score"));
    assert_eq!(leaves_when(&mut order, Complete { first: 9, all: 7 }), ["6 seller", "7 window"]);
    assert_eq!(leaves_when(&mut order, Complete { first: 9, all: 8 }), ["7 score", "end of 0", "8 window"]);
    assert_eq!(leaves(&mut order, 9), ["end of 1"]);
}

#[test]
fn a_stop_ends_at_once() {
    let mut order = Order::new(plan(), 1, Certificate::default());
    order.hear(Word::Done(3, Some(Box::new(Binding { stop: true, ..binding(3, 5, 5) }))));
    assert_eq!(leaves(&mut order, 6), ["end of 3"]);
}

proptest! {
    /// On any number of workers, in any order of their words, with ticks completed sooner or later: the same, certified alike,
    /// and without what names the source.
    #[test]
    fn the_same_whoever_is_quick(
        epochs in prop::collection::vec((0u32..3, prop::collection::vec((0u32..3, 0usize..8), 0..5)), 1..8),
        peers in 1usize..5,
        schedule in prop::collection::vec((0usize..8, 0u32..4, 0u32..3), 0..60),
    ) {
        let run = |peers: usize, schedule: &[(usize, u32, u32)]| {
            let mut order = Order::new(plan(), peers, Certificate::default());
            let (mut words, mut after) = (vec![vec![]; peers], 5);
            for (e, (moves, letters)) in epochs.iter().enumerate() {
                let (epoch, before) = (e as u64, after);
                after += moves;
                for (k, (input, worker)) in letters.iter().enumerate() {
                    words[worker % peers].push(letter(epoch, before + 1, &[(*input, 10 * epoch + k as u64)]));
                }
                for (i, words) in words.iter_mut().enumerate() {
                    words.push(Word::Done(epoch, (i == 0).then(|| Box::new(binding(epoch, before, after)))));
                }
            }
            let mut words: Vec<_> = words.into_iter().map(Vec::into_iter).collect();
            // Rows come just before their tick is complete, and every third tick has but one kind.
            let (mut said, mut complete) = (vec![], Complete { first: 6, all: 6 });
            let advance = |order: &mut Order, from: Complete, to: Complete| {
                (from.first..to.first).filter(|s| s % 3 != 0).for_each(|s| order.first(row(s, 1, "first")));
                (from.all..to.all).filter(|s| s % 3 != 1).for_each(|s| order.other(of(Table::SellerFeatures, s, 1, "other")));
            };
            for (worker, ticks, ahead) in schedule {
                words[worker % peers].next().into_iter().for_each(|word| order.hear(word));
                let all = (complete.all + ticks).min(after + 1);
                let next = Complete { first: complete.first.max((all + ahead).min(after + 1)), all };
                advance(&mut order, complete, next);
                complete = next;
                said.extend(leaves_when(&mut order, complete));
            }
            words.iter_mut().flatten().for_each(|word| order.hear(word));
            advance(&mut order, complete, Complete { first: after + 1, all: after + 1 });
            said.extend(leaves(&mut order, u32::MAX));
            (said, order.certificate.hex())
        };
        let expected = run(1, &[]);
        prop_assert!(expected.0.iter().filter(|line| line.starts_with("end")).count() == epochs.len());
        prop_assert_eq!(run(peers, &schedule), expected);
    }
}
