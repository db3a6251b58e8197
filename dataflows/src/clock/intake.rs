//! A third dataflow, for inputs that one worker alone can read: compressed files, pipes, CSV.
//!
//! The owner of an input reads it from front to end, cuts it into blocks and sends the bytes of block `n` to the worker that
//! decodes it; the same records are in a block as when any worker can read it. Nothing waits for the frontier of this
//! dataflow, so its time never advances.

use super::control::bounds;
use super::feed::{Feed, Format, Input, RawBlock};
use super::front::{Front, Step};
use super::policy::{Order, Report};
use super::reader::{Decoding, Place, ReadAhead};
use super::{Failure, Settings, Shared};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::{Operator, source};
use timely::dataflow::{Scope, Stream};

/// The bytes of a block on their way to the worker that decodes them.
#[derive(Clone, Serialize, Deserialize)]
struct Parcel {
    input: u32,
    /// Which of its blocks.
    number: u64,
    /// It holds the records that begin in `start..next`.
    start: u64,
    next: u64,
    /// Offset of the first of them.
    at: u64,
    ended: bool,
    consumed: u64,
    /// The header of a CSV input comes with every block: any worker may be the first to need it.
    header: Vec<u8>,
    bytes: Bytes,
}

/// Bytes that go over the wire in one piece; serde would send a `Vec<u8>` byte by byte.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Bytes;
            fn expecting(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
                to.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visit)
    }
}

/// Builds the intake: every worker the same graph, whether it owns an input or not.
pub(super) fn build(scope: Scope<'_, u64>, settings: &Settings, shared: &Shared, decoding: Decoding, inputs: Vec<Input>) {
    let formats: Vec<Format> = inputs.iter().map(|input| input.format).collect();
    let parcels = pull(scope, settings, shared, &decoding, inputs);
    decode(parcels, shared, decoding, formats);
}

/// An input that this worker owns.
struct Owned {
    input: u32,
    front: Front,
}

fn pull<'s>(
    scope: Scope<'s, u64>,
    settings: &Settings,
    shared: &Shared,
    decoding: &Decoding,
    inputs: Vec<Input>,
) -> Stream<'s, u64, Vec<Parcel>> {
    let (settings, shared, context) = (settings.clone(), shared.clone(), decoding.context.clone());
    let bounds = bounds(&context, inputs.len());
    let mut ahead = ReadAhead::new(&settings, &bounds, scope.peers());
    source::<_, CapacityContainerBuilder<Vec<Parcel>>, _, _>(scope, "Pull", move |cap, info| {
        let again = scope.activator_for(info.address.clone());
        shared.borrow_mut().wake.pull = Some(again.clone());
        let mut owned: Vec<Owned> = vec![];
        for (input, Input { format, feed, .. }) in inputs.into_iter().enumerate() {
            if let Feed::Mine(mut source) = feed {
                source.wake_by(scope.worker().sync_activator_for(info.address.to_vec()));
                let front = Front::new(source, format, settings.delimiter);
                owned.push(Owned { input: input as u32, front });
            }
        }
        let mut cap = Some(cap);
        move |output| {
            for order in shared.borrow_mut().for_pull.drain(..) {
                ahead.hear(&order);
                if matches!(order, Order::Bind(binding) if binding.closes()) {
                    owned.clear();
                }
            }
            owned.retain(|o| !o.front.done);
            if owned.is_empty() || context.failure().is_some() {
                shared.borrow_mut().wake.pull = None; // nobody listens any more
                cap = None;
            }
            let Some(held) = cap.as_ref() else { return };
            let allowed = |o: &Owned| ahead.allows(o.input, o.front.start(settings.epoch_bytes));
            let mut turn: Vec<(u64, usize)> = (0..owned.len()).filter_map(|k| Some((allowed(&owned[k])?, k))).collect();
            turn.sort_unstable();
            for (_, k) in turn {
                let Owned { input, front } = &mut owned[k];
                let start = front.start(settings.epoch_bytes);
                match front.step(settings.epoch_bytes) {
                    Ok(Step::Piece(piece)) if piece.start < bounds[*input as usize] => again.activate(), // counts already
                    Ok(Step::Piece(piece)) => {
                        let header = front.header.clone().unwrap_or_default();
                        let number = start / settings.epoch_bytes;
                        output.session(held).give(Parcel {
                            input: *input,
                            number,
                            start: piece.start,
                            next: piece.next,
                            at: piece.at,
                            ended: piece.ended,
                            consumed: piece.consumed,
                            header,
                            bytes: Bytes(piece.bytes),
                        });
                        again.activate();
                        return; // one block an activation
                    }
                    Ok(Step::Wait(None)) => (),
                    Ok(Step::Wait(Some(time))) => again.activate_after(time),
                    Err(problem) => {
                        let name = &context.sources[*input as usize];
                        context.fail(Failure::Input(format!("cannot read {name}: {problem}")));
                    }
                }
            }
        }
    })
}

fn decode(parcels: Stream<'_, u64, Vec<Parcel>>, shared: &Shared, decoding: Decoding, formats: Vec<Format>) {
    let shared = shared.clone();
    let mut headed = BTreeSet::new();
    let to = Exchange::new(|parcel: &Parcel| u64::from(parcel.input) + parcel.number);
    parcels.sink(to, "Decode", move |(input, _)| {
        let shared = &mut *shared.borrow_mut();
        input.for_each(|_, parcels| {
            for parcel in parcels.drain(..) {
                let Parcel { input, start, next, at, ended, consumed, header, bytes: Bytes(bytes), .. } = parcel;
                if formats[input as usize] == Format::Csv && !header.is_empty() && headed.insert(input) {
                    let read = decoding.decoder.borrow_mut().header(input, &header);
                    if let Err(problem) = read {
                        let name = &decoding.context.sources[input as usize];
                        decoding.context.fail(Failure::Input(format!("cannot read {name}: {problem}")));
                        return;
                    }
                }
                let raw = RawBlock { from: 0, until: bytes.len(), bytes, base: at };
                let place = Place { input, start, next, bytes: consumed, ended };
                let block = decoding.decode(place, formats[input as usize], raw, &mut shared.raw);
                shared.decoded.push(Report::Read(block));
            }
        });
        if !shared.decoded.is_empty() {
            shared.wake.reader();
        }
    });
}
