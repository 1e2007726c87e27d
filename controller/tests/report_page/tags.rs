//! A page in its tags, as far as the tests need to know it. It reads what `maud` writes, and no other HTML.

use std::collections::HashMap;

/// An opening tag, with the text that follows it up to the next tag.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: HashMap<String, String>,
    pub(crate) text: String,
    /// It closes an element.
    pub(crate) closes: bool,
}

impl Tag {
    pub(crate) fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, attribute: &str) -> i32 {
        self.get(attribute).parse().unwrap_or_else(|_| panic!("{attribute} of {self:?}"))
    }
}

/// All tags of `page` in order.
pub(crate) fn tags(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    for piece in page.split('<').skip(1) {
        let (inside, text) = piece.split_once('>').expect("a tag that ends");
        let (closes, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
        let (name, rest) = inside.split_once(' ').unwrap_or((inside, ""));
        tags.push(Tag { name: name.to_owned(), attributes: attributes(rest), text: unescaped(text), closes });
    }
    tags
}

fn attributes(mut text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (value, rest) = rest.split_once('"').expect("a value that ends");
        // Those without a value stand before it.
        let name = name.trim().rsplit(' ').next().unwrap_or_default();
        found.insert(name.to_owned(), unescaped(value));
        text = rest;
    }
    found
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// `page` without its style, its script and its data, which would fill a golden file with what has tests of its own.
pub(crate) fn bare(page: &str) -> String {
    let mut bare = page.to_owned();
    for element in ["style", "script"] {
        let mut from = 0;
        while let Some(at) = bare[from..].find(&format!("<{element}")) {
            let start = from + at + bare[from + at..].find('>').unwrap() + 1;
            let end = start + bare[start..].find(&format!("</{element}>")).unwrap();
            bare.replace_range(start..end, "");
            from = start;
        }
    }
    let hash = |text: &str| text.find("'sha256-").map(|at| (at, at + 1 + text[at + 1..].find('\'').unwrap() + 1));
    while let Some((start, end)) = hash(&bare) {
        bare.replace_range(start..end, "'HASH'");
    }
    bare.replace("><", ">\n<")
}
