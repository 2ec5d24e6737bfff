//! Values of a configuration file, each checked where it stands.

use std::{fmt, ops::RangeInclusive};

use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::{
    fault::{Fault, line_of},
    given::{Origin, Said},
    keys::{Key, example},
};

/// A value where it stands.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// Reads values and gathers what is wrong with them.
pub struct Reader<'a> {
    text: &'a str,
    /// What is wrong so far.
    pub faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// Of the text of a file.
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    /// Something is wrong with a value.
    pub fn wrong(&mut self, at: &Value<'_>, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(at.span(), what, remedy));
    }

    /// The line of a value.
    pub fn line(&self, at: &Value<'_>) -> usize {
        line_of(self.text, at.span().start)
    }

    /// A value and where it was said.
    pub fn said<T>(&self, at: &Value<'_>, value: T) -> Said<T> {
        Said {
            value,
            origin: Origin::Line(self.line(at)),
        }
    }

    /// A value of another type than `wanted`.
    pub fn type_of(&mut self, keys: &[Key], name: &str, at: &Value<'_>, wanted: &str) {
        let has = described(at.get_ref());
        let what = format!("`{name}` must be {wanted}, and this is {has}");
        let remedy = format!("write it like: {name} = {}", example(keys, name));
        self.wrong(at, what, remedy);
    }

    /// A string.
    pub fn string<'v>(&mut self, keys: &[Key], name: &str, at: &'v Value<'_>) -> Option<&'v str> {
        let text = at.get_ref().as_str();
        if text.is_none() {
            self.type_of(keys, name, at, "a string");
        }
        text
    }

    /// A string that `parse` understands; what it says about others has the way out in it.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        keys: &[Key],
        name: &str,
        at: &Value<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Said<T>> {
        let text = self.string(keys, name, at)?;
        match parse(text) {
            Ok(value) => Some(self.said(at, value)),
            Err(error) => {
                let remedy = format!("write it like: {name} = {}", example(keys, name));
                self.wrong(at, error.to_string(), remedy);
                None
            }
        }
    }

    /// One of these words.
    pub fn word<T: Copy>(
        &mut self,
        keys: &[Key],
        name: &str,
        at: &Value<'_>,
        words: &[(&str, T)],
    ) -> Option<Said<T>> {
        let text = self.string(keys, name, at)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(self.said(at, *value));
        }
        let all: Vec<String> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let what = format!("`{name}` cannot be \"{}\"", text.escape_debug());
        self.wrong(at, what, format!("one of {}", all.join(", ")));
        None
    }

    /// Yes or no.
    pub fn truth(&mut self, keys: &[Key], name: &str, at: &Value<'_>) -> Option<Said<bool>> {
        let truth = at.get_ref().as_bool();
        if truth.is_none() {
            self.type_of(keys, name, at, "true or false");
        }
        truth.map(|value| self.said(at, value))
    }

    /// A whole number in a range.
    pub fn number(
        &mut self,
        keys: &[Key],
        name: &str,
        at: &Value<'_>,
        range: RangeInclusive<u32>,
    ) -> Option<Said<u32>> {
        let Some(number) = at.get_ref().as_integer() else {
            self.type_of(keys, name, at, "a whole number");
            return None;
        };
        if let Some(value) = whole(number).filter(|it| range.contains(it)) {
            return Some(self.said(at, value));
        }
        let (least, most) = range.into_inner();
        let what = format!("`{name}` cannot be {number}");
        self.wrong(at, what, format!("a number from {least} to {most}"));
        None
    }

    /// The elements of an array, or the one value that stands for an array of itself.
    pub fn each<'v, 'i>(at: &'v Value<'i>) -> Vec<&'v Value<'i>> {
        match at.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![at],
        }
    }
}

/// A number as it is meant.
pub fn whole(number: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
