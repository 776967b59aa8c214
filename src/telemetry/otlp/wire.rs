//! The wire format of protocol buffers, written as it goes: no message is made in between.

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Form {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// Fields of a message under way. Each is written, be its value the default or not.
#[derive(Debug, Default)]
pub(super) struct Wire(Vec<u8>);

impl Wire {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes back what was written after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes fields that are written elsewhere.
    pub(super) fn append(&mut self, fields: &Wire) {
        self.0.extend_from_slice(&fields.0);
    }

    pub(super) fn number(&mut self, field: u8, number: u64) {
        self.key(field, Form::Varint);
        self.varint(number);
    }

    pub(super) fn fixed64(&mut self, field: u8, number: u64) {
        self.key(field, Form::Fixed64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn fixed32(&mut self, field: u8, number: u32) {
        self.key(field, Form::Fixed32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u8, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    pub(super) fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.key(field, Form::Bytes);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Writes a message with what `fields` writes.
    pub(super) fn message(&mut self, field: u8, fields: impl FnOnce(&mut Wire)) {
        self.key(field, Form::Bytes);
        let begin = self.len();
        // One byte for its length, as for most; a longer length moves the message up.
        self.0.push(0);
        fields(self);
        let length = self.len() - begin - 1;
        match (u8::try_from(length), self.0.get_mut(begin)) {
            (Ok(short), Some(place)) if short < CONTINUED => *place = short,
            _ => {
                let mut prefix = Wire::default();
                prefix.varint(length as u64);
                self.0.splice(begin..=begin, prefix.0);
            }
        }
    }

    fn key(&mut self, field: u8, form: Form) {
        self.varint(u64::from(field) << 3 | form as u64);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= u64::from(CONTINUED) {
            self.0.push(number as u8 | CONTINUED);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// Set in each byte of a number but its last.
const CONTINUED: u8 = 0x80;
