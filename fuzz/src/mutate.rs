//! Mutations of a protobuf message that write all lengths anew, so that a fuzzer gets at what lies deep in it.
//!
//! They know no schema: bytes that can be read as a message are taken for one, and which fields a kind of message has is
//! learnt from seeds.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use std::collections::{BTreeMap, BTreeSet};

/// Levels that are told apart; what lies deeper is bytes.
const MAX_DEPTH: usize = 100;

type Message = Vec<Field>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Field {
    number: u32,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Message),
    Group(Message),
}

/// A kind of message: the numbers of the last four fields that lead to it.
type Kind = u32;

const REQUEST: Kind = 0;

fn nested_kind(kind: Kind, field: &Field) -> Kind {
    kind << 8 | field.number & 0xff
}

/// The fields that a kind of message was seen to have, by number, and their values.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<Kind, BTreeMap<u32, BTreeSet<Value>>>);

impl Known {
    /// Of these messages, as far as they are some, and all nested in them.
    pub(crate) fn of<'a>(messages: impl Iterator<Item = &'a [u8]>) -> Known {
        let mut known = Known::default();
        for mut bytes in messages {
            if let Some(message) = read(&mut bytes, None, MAX_DEPTH) {
                known.learn(&message, REQUEST);
            }
        }
        known
    }

    fn learn(&mut self, message: &[Field], kind: Kind) {
        for field in message {
            self.0.entry(kind).or_default().entry(field.number).or_default().insert(field.value.clone());
            if let Some(inner) = nested(&field.value) {
                self.learn(inner, nested_kind(kind, field));
            }
        }
    }

    /// A field of this kind of message: any of its numbers, then any of the values seen there.
    fn field(&self, kind: Kind, random: &mut Random) -> Option<Field> {
        let numbers = self.0.get(&kind)?;
        let (number, values) = numbers.iter().nth(random.below(numbers.len()))?;
        let value = values.iter().nth(random.below(values.len()))?.clone();
        Some(Field { number: *number, value })
    }
}

/// What changes bytes without knowing what they mean.
pub(crate) type Plain<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// Changes one thing in a message or a few, wherever in it.
///
/// `None` when the bytes are no message or come to none or to more than `max`; and now and then, because wrong lengths
/// are worth trying too. Mutate the bytes as such then.
pub(crate) fn mutate(mut bytes: &[u8], max: usize, known: &Known, seed: u32, plain: Plain<'_>) -> Option<Vec<u8>> {
    let mut random = Random(u64::from(seed));
    if random.below(8) == 0 {
        return None;
    }
    let mut message = read(&mut bytes, None, MAX_DEPTH)?;
    loop {
        let elsewhere = random.part(&mut message).1.clone();
        let donor = random.pick(&elsewhere);
        random.change(&mut message, known, donor, plain);
        if random.below(2) == 0 {
            break;
        }
    }
    let mut mutated = Vec::new();
    write(&message, &mut mutated);
    (1..=max).contains(&mutated.len()).then_some(mutated)
}

/// The fields up to the end of the bytes or of the group of this number.
fn read(bytes: &mut &[u8], group: Option<u32>, depth: usize) -> Option<Message> {
    let inner = depth.checked_sub(1)?;
    let mut message = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(bytes).ok()?;
        let value = match wire_type {
            WireType::Varint => Value::Varint(decode_varint(bytes).ok()?),
            WireType::SixtyFourBit => Value::Fixed64(*take_array(bytes)?),
            WireType::ThirtyTwoBit => Value::Fixed32(*take_array(bytes)?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
                let mut payload = bytes.split_off(..length)?;
                let whole = payload;
                read(&mut payload, None, inner).map_or_else(|| Value::Bytes(whole.to_vec()), Value::Message)
            }
            WireType::StartGroup => Value::Group(read(bytes, Some(number), inner)?),
            WireType::EndGroup => return (group == Some(number)).then_some(message),
        };
        message.push(Field { number, value });
    }
    group.is_none().then_some(message)
}

fn take_array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

fn write(message: &[Field], out: &mut Vec<u8>) {
    for Field { number, value } in message {
        match value {
            Value::Varint(value) => {
                encode_key(*number, WireType::Varint, out);
                encode_varint(*value, out);
            }
            Value::Fixed64(bytes) => {
                encode_key(*number, WireType::SixtyFourBit, out);
                out.extend(bytes);
            }
            Value::Fixed32(bytes) => {
                encode_key(*number, WireType::ThirtyTwoBit, out);
                out.extend(bytes);
            }
            Value::Bytes(bytes) => {
                encode_key(*number, WireType::LengthDelimited, out);
                encode_varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes);
                encode_key(*number, WireType::LengthDelimited, out);
                encode_varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
            Value::Group(inner) => {
                encode_key(*number, WireType::StartGroup, out);
                write(inner, out);
                encode_key(*number, WireType::EndGroup, out);
            }
        }
    }
}

fn nested(value: &Value) -> Option<&Message> {
    if let Value::Message(inner) | Value::Group(inner) = value { Some(inner) } else { None }
}

/// Of the message and all nested in it, in order.
fn kinds(message: &[Field], kind: Kind, out: &mut Vec<Kind>) {
    out.push(kind);
    for field in message {
        if let Some(inner) = nested(&field.value) {
            kinds(inner, nested_kind(kind, field), out);
        }
    }
}

/// The message at this place of that order.
fn nth<'a>(message: &'a mut Message, at: &mut usize) -> Option<&'a mut Message> {
    if *at == 0 {
        return Some(message);
    }
    *at -= 1;
    message.iter_mut().find_map(|field| match &mut field.value {
        Value::Message(inner) | Value::Group(inner) => nth(inner, at),
        _ => None,
    })
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())].clone())
    }

    /// The message or one nested in it: of a random kind among those there are, then one of that kind.
    fn part<'a>(&mut self, message: &'a mut Message) -> (Kind, &'a mut Message) {
        let mut parts = Vec::new();
        kinds(message, REQUEST, &mut parts);
        let mut all = parts.clone();
        all.sort_unstable();
        all.dedup();
        let kind = all[self.below(all.len())];
        let of_kind: Vec<usize> = (0..parts.len()).filter(|at| parts[*at] == kind).collect();
        let at = of_kind[self.below(of_kind.len())];
        (kind, nth(message, &mut { at }).expect("parts are counted alike"))
    }

    fn change(&mut self, message: &mut Message, known: &Known, donor: Option<Field>, plain: Plain<'_>) {
        let (kind, part) = self.part(message);
        let familiar = known.field(kind, self);
        if part.is_empty() {
            return part.push(familiar.filter(|_| self.below(4) > 0).unwrap_or_else(|| self.field()));
        }
        let (at, other) = (self.below(part.len()), self.below(part.len()));
        match self.below(12) {
            0..2 => part.insert(at, self.field()),
            // At the end too: of several values of one field the last one counts.
            2..5 => part.insert(self.below(part.len() + 1), familiar.unwrap_or_else(|| self.field())),
            5 => part.insert(at, donor.unwrap_or_else(|| self.field())),
            6 => part.insert(at, part[at].clone()),
            7 => _ = part.remove(at),
            8 => part.swap(at, other),
            9 => part[at].number = self.number(),
            _ => self.change_value(&mut part[at].value, plain),
        }
    }

    fn field(&mut self) -> Field {
        Field { number: self.number(), value: self.value() }
    }

    /// Mostly one of those that messages use, or near them.
    fn number(&mut self) -> u32 {
        let most = if self.below(8) == 0 { (1 << 29) - 1 } else { 32 };
        1 + self.below(most) as u32
    }

    fn value(&mut self) -> Value {
        match self.below(7) {
            0..2 => Value::Varint(self.next() >> self.below(64)),
            2 => Value::Fixed64(self.next().to_le_bytes()),
            3 => Value::Fixed32((self.next() as u32).to_le_bytes()),
            4 => Value::Bytes(self.next().to_le_bytes()[..self.below(9)].to_vec()),
            5 => Value::Message(Vec::new()),
            _ => Value::Group(Vec::new()),
        }
    }

    fn change_value(&mut self, value: &mut Value, plain: Plain<'_>) {
        if self.below(4) == 0 {
            return *value = self.value();
        }
        match value {
            Value::Varint(value) => *value = u64::from_le_bytes(plainly(&value.to_le_bytes(), plain)),
            Value::Fixed64(bytes) => *bytes = plainly(bytes, plain),
            Value::Fixed32(bytes) => *bytes = plainly(bytes, plain),
            Value::Bytes(bytes) => plain(bytes),
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes);
                plain(&mut bytes);
                *value = Value::Bytes(bytes);
            }
            Value::Group(inner) => *value = Value::Message(std::mem::take(inner)),
        }
    }
}

fn plainly<const N: usize>(bytes: &[u8], plain: Plain<'_>) -> [u8; N] {
    let mut bytes = bytes.to_vec();
    plain(&mut bytes);
    bytes.resize(N, 0);
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;
    use proptest::prelude::*;

    fn reread(mut bytes: &[u8]) -> Option<Message> {
        read(&mut bytes, None, MAX_DEPTH)
    }

    fn written(message: &[Field]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(message, &mut bytes);
        bytes
    }

    fn flip(bytes: &mut Vec<u8>) {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        bytes.push(0);
    }

    #[test]
    fn seeds_are_messages_and_written_as_they_were() {
        for seed in [seeds::traces(), seeds::logs(), seeds::metrics()].concat() {
            assert_eq!(written(&reread(&seed).unwrap()), seed);
        }
    }

    #[test]
    fn bytes_nested_beyond_measure_are_bytes() {
        let nested =
            (0..2_000).fold(Vec::new(), |inner, _| written(&[Field { number: 1, value: Value::Bytes(inner) }]));
        assert_eq!(written(&reread(&nested).unwrap()), nested);
        assert_eq!(reread(&[0x0b; 100_000]), None);
    }

    /// Lengths are right: the mutants are messages again. Links are as deep as anything gets in a request of traces.
    #[test]
    fn every_kind_of_message_in_a_request_gets_unknown_fields() {
        let request = seeds::traces().into_iter().max_by_key(Vec::len).unwrap();
        let paths = unknown_fields(&reread(&request).unwrap());
        assert_eq!(paths, BTreeSet::new());
        let mutants = (0..20_000).filter_map(|seed| mutate(&request, 1 << 20, &Known::default(), seed, &mut flip));
        let paths: BTreeSet<_> = mutants.flat_map(|mutant| unknown_fields(&reread(&mutant).unwrap())).collect();
        let [resource, scope, span, event, link] =
            [&[1, 1][..], &[1, 2, 1], &[1, 2, 2], &[1, 2, 2, 11], &[1, 2, 2, 13]];
        for path in [&[][..], &[1], &[1, 2], resource, scope, span, event, link] {
            assert!(paths.contains(path), "{path:?} is not in {paths:?}");
        }
    }

    /// Where fields are whose number no message of OTLP has.
    fn unknown_fields(message: &[Field]) -> BTreeSet<Vec<u32>> {
        let mut paths = BTreeSet::new();
        for Field { number, value } in message {
            if (17..=32).contains(number) {
                paths.insert(Vec::new());
            }
            if let Some(inner) = nested(value) {
                paths.extend(unknown_fields(inner).into_iter().map(|path| [&[*number], &path[..]].concat()));
            }
        }
        paths
    }

    /// Exemplars with integers, into a gauge's data point that has nothing.
    #[test]
    fn what_seeds_have_is_put_where_it_belongs() {
        let point = [1, 2, 2, 5, 1];
        let empty = point
            .iter()
            .rfold(Vec::new(), |inner, number| vec![Field { number: *number, value: Value::Message(inner) }]);
        let known = Known::of(seeds::metrics().iter().map(Vec::as_slice));
        let has_exemplar = |seed| {
            let mutant = mutate(&written(&empty), 4096, &known, seed, &mut flip)?;
            let exemplar = [&point[..], &[5]].concat();
            at(&reread(&mutant)?, &exemplar)?.iter().find(|field| field.number == 6).cloned()
        };
        let exemplars = (0..2_000).filter_map(has_exemplar).count();
        assert!(exemplars > 10, "{exemplars}");
    }

    /// The last message on this path.
    fn at<'a>(message: &'a Message, path: &[u32]) -> Option<&'a Message> {
        let Some((first, rest)) = path.split_first() else { return Some(message) };
        at(nested(&message.iter().rfind(|field| field.number == *first)?.value)?, rest)
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_mutated_and_what_is_written_is_read_alike(
            bytes in proptest::collection::vec(prop_oneof![0..48u8, any::<u8>()], 0..60),
            max in 0..80usize,
            seed: u32,
        ) {
            if let Some(message) = reread(&bytes) {
                prop_assert_eq!(reread(&written(&message)), Some(message));
            }
            if let Some(mutated) = mutate(&bytes, max, &Known::default(), seed, &mut flip) {
                prop_assert!((1..=max).contains(&mutated.len()));
            }
        }
    }
}
