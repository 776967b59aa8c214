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
    pub(super) fn with_capacity(bytes: usize) -> Wire {
        Wire(Vec::with_capacity(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes fields that are written elsewhere.
    pub(super) fn append(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
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
        self.begin(field, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Writes a message with what `fields` writes.
    pub(super) fn message(&mut self, field: u8, fields: impl FnOnce(&mut Wire)) {
        self.key(field, Form::Bytes);
        let begin = self.len();
        // One byte for its length, as for most; a longer length moves the message up.
        self.0.push(0);
        fields(self);
        let end = self.len();
        let length = (end - begin - 1) as u64;
        let mut first = length as u8;
        if length >= u64::from(CONTINUED) {
            first |= CONTINUED;
            self.varint(length >> 7);
        }
        let more = self.len() - end;
        if let Some([place, fields_and_more @ ..]) = self.0.get_mut(begin..) {
            *place = first;
            fields_and_more.rotate_right(more);
        }
    }

    /// Begins a message whose fields, written next, take so many bytes.
    pub(super) fn begin(&mut self, field: u8, bytes: usize) {
        self.key(field, Form::Bytes);
        self.varint(bytes as u64);
    }

    /// Returns how many bytes such a message takes as one of the first fifteen fields.
    pub(super) fn len_of(bytes: usize) -> usize {
        Wire::len_of_number(bytes as u64) + bytes
    }

    /// Returns how many bytes a number takes as one of the first fifteen fields.
    pub(super) fn len_of_number(number: u64) -> usize {
        1 + varint_len(number)
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

/// Returns how many bytes a number takes, seven bits in each.
fn varint_len(number: u64) -> usize {
    let bits = (u64::BITS - number.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Set in each byte of a number but its last.
const CONTINUED: u8 = 0x80;

/// Reads the fields of a message up to the first that is neither text nor bytes nor a message.
pub(super) fn leading_fields(message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let key = read_varint(&mut rest)?;
        let length = (key & 0b111 == Form::Bytes as u64).then(|| read_varint(&mut rest))??;
        let value = rest.split_off(..usize::try_from(length).ok()?)?;
        Some((key >> 3, value))
    })
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = bytes.split_off_first()?;
        number |= u64::from(byte & !CONTINUED) << shift;
        if byte & CONTINUED == 0 {
            return Some(number);
        }
    }
    None
}
