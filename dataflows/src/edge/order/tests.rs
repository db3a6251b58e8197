//! What leaves when, epoch by epoch, whoever was quick.

use super::*;
use crate::message::Original;
use crate::plan::Spec;
use proptest::prelude::*;

fn plan() -> Arc<Plan> {
    Arc::new(Plan::new(&Spec::default()).unwrap())
}

fn binding(epoch: u64, before: u32, after: u32) -> Binding {
    Binding { epoch, before, after, blocks: vec![], last: None, stop: false, checkpoint: false, added: vec![], weight: (0, 0) }
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
    let mut batch = Batch::new(s, Table::Windows);
    batch.row((end, 0), "", |out| out.extend_from_slice(format!("{text}\n").as_bytes()));
    batch
}

/// What leaves now, in words.
fn leaves(order: &mut Order, open: u32) -> Vec<String> {
    let mut said = vec![];
    while let Some(next) = order.next(open) {
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
    order.rows(row(7, 9, "b"));
    order.rows(row(6, 6, "z"));
    order.rows(row(7, 8, "a"));
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
    order.rows(row(6, 1, "whole"));
    order.rows(row(close, 1, "partial"));
    assert_eq!(leaves(&mut order, 19), ["6 whole"]);
    assert_eq!(leaves(&mut order, close), [""; 0]);
    assert_eq!(leaves(&mut order, close + 1), [format!("{close} partial"), "end of 0".into()]);
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
        schedule in prop::collection::vec((0usize..8, 0u32..4), 0..60),
    ) {
        let run = |peers: usize, schedule: &[(usize, u32)]| {
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
                (before + 1..=after).for_each(|s| order.rows(row(s, 1, "row")));
            }
            let mut words: Vec<_> = words.into_iter().map(Vec::into_iter).collect();
            let (mut said, mut open) = (vec![], 6);
            for (worker, ticks) in schedule {
                words[worker % peers].next().into_iter().for_each(|word| order.hear(word));
                open += ticks;
                said.extend(leaves(&mut order, open));
            }
            words.iter_mut().flatten().for_each(|word| order.hear(word));
            said.extend(leaves(&mut order, u32::MAX));
            (said, order.certificate.hex())
        };
        let expected = run(1, &[]);
        prop_assert!(expected.0.iter().filter(|line| line.starts_with("end")).count() == epochs.len());
        prop_assert_eq!(run(peers, &schedule), expected);
    }
}
