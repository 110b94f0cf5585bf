//! The query engine's syntax tree of a statement, which it gives as JSON. Nested deeper than `serde_json` reads.

use std::borrow::Cow;

/// Deepest nesting that is read. The engine's own parser allows a thousand expressions within each other.
const DEEPEST: usize = 4_000;

pub(super) enum Node {
    Text(String),
    Number(f64),
    Other,
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn read(json: &str) -> Option<Node> {
        let mut reader = Reader { rest: json, depth: 0 };
        let node = reader.node()?;
        reader.space();
        reader.rest.is_empty().then_some(node)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Object(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A field that is text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Node::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn list(&self, name: &str) -> &[Node] {
        match self.get(name) {
            Some(Node::List(nodes)) => nodes,
            _ => &[],
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes before it in the statement and of it; `None` for what was not written.
    pub(super) fn place(&self) -> Option<(usize, usize)> {
        let number = |name| match self.get(name) {
            Some(Node::Number(number)) if (0.0..1e9).contains(number) => Some(*number as usize),
            _ => None,
        };
        Some((number("query_location")?, number("query_location_length")?))
    }

    /// All nodes, this one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let node = waiting.pop()?;
            match node {
                Node::List(nodes) => waiting.extend(nodes),
                Node::Object(fields) => waiting.extend(fields.iter().map(|(_, value)| value)),
                _ => {}
            }
            Some(node)
        })
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, sign: char) -> bool {
        self.space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn node(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.space();
        let node = match self.rest.bytes().next()? {
            b'{' => self.object()?,
            b'[' => self.list()?,
            b'"' => Node::Text(self.string()?.into_owned()),
            _ => {
                let end = self.rest.find([',', '}', ']']).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                word.trim().parse().map_or(Node::Other, Node::Number)
            }
        };
        self.depth -= 1;
        Some(node)
    }

    fn list(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        self.takes('[');
        if self.takes(']') {
            return Some(Node::List(nodes));
        }
        loop {
            nodes.push(self.node()?);
            if self.takes(']') {
                return Some(Node::List(nodes));
            }
            self.takes(',').then_some(())?;
        }
    }

    fn object(&mut self) -> Option<Node> {
        let mut fields = Vec::new();
        self.takes('{');
        if self.takes('}') {
            return Some(Node::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?.into_owned();
            self.takes(':').then_some(())?;
            fields.push((name, self.node()?));
            if self.takes('}') {
                return Some(Node::Object(fields));
            }
            self.takes(',').then_some(())?;
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let mut escaped = false;
        let quoted = self.rest.strip_prefix('"')?;
        let end = quoted.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let (text, whole) = (&quoted[..end], &self.rest[..end + 2]);
        self.rest = &self.rest[end + 2..];
        if text.contains('\\') {
            serde_json::from_str::<String>(whole).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_however_deep() {
        let json = r#"{"type":"A","n":[1, {"query_location":18446744073709551615,"t":"q\"\\한"},null,true,{},[]],"query_location":7,"query_location_length":3}"#;
        let node = Node::read(json).unwrap();
        assert_eq!((node.text("type"), node.place()), ("A", Some((7, 3))));
        assert_eq!((node.list("n")[1].text("t"), node.list("n")[1].place()), ("q\"\\한", None));
        assert_eq!(node.all().count(), 13);
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Node::read(&nested(3_000)).is_some());
        assert!(Node::read(&nested(100_000)).is_none());
        for wrong in ["", "{", "[1", "{\"a\"}", "[1]x", "\"a"] {
            assert!(Node::read(wrong).is_none(), "{wrong}");
        }
    }
}
