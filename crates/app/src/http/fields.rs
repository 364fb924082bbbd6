//! Reads the fields of a JSON object or a query string, and collects everything that is wrong with them.

use markt_domain::credentials::{EmailAddress, NewPassword, Password, Username};
use markt_domain::role::Role;
use markt_domain::tokens::Token;
use serde_json::{Map, Value};

/// Why a field is not valid, for people.
pub type Messages = Vec<String>;

/// What a field's reader makes of its value.
pub type Read<T> = Result<T, Messages>;

/// The fields of an object, each to be read once.
pub struct Fields {
    values: Map<String, Value>,
    errors: Map<String, Value>,
}

/// Something that is read from fields.
pub trait FromFields: Sized {
    /// Reads it. What is wrong is noted in the fields; without a value, something must be.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

impl Fields {
    /// Reads from this object.
    ///
    /// # Errors
    /// The messages by field.
    pub fn read<T: FromFields>(values: Map<String, Value>) -> Result<T, Map<String, Value>> {
        let mut fields = Self { values, errors: Map::new() };
        match T::from_fields(&mut fields) {
            Some(value) if fields.errors.is_empty() => Ok(value),
            _ => Err(fields.errors),
        }
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Read<T>) -> Option<T> {
        match self.values.remove(name) {
            None => self.refuse(name, "Missing data for required field."),
            Some(Value::Null) => self.refuse(name, "Field may not be null."),
            Some(value) => self.note(name, read(value)),
        }
    }

    /// A field that may be missing or null.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Read<T>) -> Option<T> {
        match self.values.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.note(name, read(value)),
        }
    }

    /// An object that must be there.
    pub fn required_object<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let value = self.required(name, Ok)?;
        self.nested(name, value)
    }

    /// An object that may be missing or null.
    pub fn optional_object<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let value = self.optional(name, Ok)?;
        self.nested(name, value)
    }

    fn refuse<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.note(name, Err(vec![message.to_owned()]))
    }

    fn nested<T: FromFields>(&mut self, name: &str, value: Value) -> Option<T> {
        let Value::Object(values) = value else { return self.refuse(name, "Not a valid mapping type.") };
        Self::read(values).map_err(|errors| self.errors.insert(name.to_owned(), errors.into())).ok()
    }

    fn note<T>(&mut self, name: &str, read: Read<T>) -> Option<T> {
        read.map_err(|messages| self.errors.insert(name.to_owned(), messages.into())).ok()
    }
}

fn refused<T>(message: impl ToString) -> Read<T> {
    Err(vec![message.to_string()])
}

fn string(value: Value) -> Read<String> {
    match value {
        // PostgreSQL's texts can't hold it.
        Value::String(text) if text.contains('\0') => refused("Null characters are not allowed."),
        Value::String(text) => Ok(text),
        _ => refused("Not a valid string."),
    }
}

/// A text of at most so many characters.
pub fn text(max: usize) -> impl FnOnce(Value) -> Read<String> {
    move |value| {
        let text = string(value)?;
        if text.chars().count() > max { refused(format!("Longer than maximum length {max}.")) } else { Ok(text) }
    }
}

/// A text of at most so many characters that isn't blank.
pub fn name(max: usize) -> impl FnOnce(Value) -> Read<String> {
    move |value| {
        let name = text(max)(value)?;
        if name.trim().is_empty() { refused("Shorter than minimum length 1.") } else { Ok(name) }
    }
}

/// An e-mail address.
pub fn email(value: Value) -> Read<EmailAddress> {
    EmailAddress::parse(&string(value)?).map_err(|error| vec![error.to_string()])
}

/// A text that could be a username.
pub fn username(value: Value) -> Read<Username> {
    Username::parse(&string(value)?).map_err(|error| vec![error.to_string()])
}

/// A username that isn't reserved.
pub fn free_username(value: Value) -> Read<Username> {
    let username = username(value)?;
    if username.is_reserved() { refused("This username is reserved.") } else { Ok(username) }
}

/// A password that exists already, of whatever form.
pub fn password(value: Value) -> Read<Password> {
    match value {
        Value::String(text) => Ok(Password::new(text)),
        _ => refused("Not a valid string."),
    }
}

/// A token.
pub fn token(value: Value) -> Read<Token> {
    string(value).map(Token::new)
}

/// A password to be set.
pub fn new_password(value: Value) -> Read<NewPassword> {
    NewPassword::parse(password(value)?).map_err(|broken| broken.iter().map(ToString::to_string).collect())
}

/// A role.
pub fn role(value: Value) -> Read<Role> {
    string(value)?.parse().or_else(|_| refused("Must be one of: buyer, seller."))
}

/// True or false.
pub fn boolean(value: Value) -> Read<bool> {
    value.as_bool().map_or_else(|| refused("Not a valid boolean."), Ok)
}

/// True or false, as flags are written in query strings: by some clients (Python's) with a capital.
pub fn flag(value: Value) -> Read<bool> {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        _ => refused("Not a valid boolean."),
    }
}

/// An object of any form.
pub fn object(value: Value) -> Read<Map<String, Value>> {
    if holds_null_character(&value) {
        return refused("Null characters are not allowed.");
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => refused("Not a valid mapping type."),
    }
}

fn holds_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_null_character),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_null_character(value)),
        _ => false,
    }
}

/// A number between these bounds.
pub fn number(min: f64, max: f64) -> impl FnOnce(Value) -> Read<f64> {
    move |value| match value.as_f64() {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        Some(_) => refused(format!("Must be between {min} and {max}.")),
        None => refused("Not a valid number."),
    }
}

/// At most 100 ids of rows; repetitions are dropped.
pub fn ids(value: Value) -> Read<Vec<i32>> {
    let Value::Array(items) = value else { return refused("Not a valid list.") };
    if items.len() > 100 {
        return refused("Longer than maximum length 100.");
    }
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        match item.as_i64().map(i32::try_from) {
            Some(Ok(id)) if !ids.contains(&id) => ids.push(id),
            Some(Ok(_)) => {}
            _ => return refused("Not a valid list of integers."),
        }
    }
    Ok(ids)
}

/// A code of six digits.
pub fn code(value: Value) -> Read<Password> {
    let code = string(value)?;
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Password::new(code))
    } else {
        refused("Must be 6 digits.")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Inner(String);

    impl FromFields for Inner {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            fields.required("name", name(3)).map(Self)
        }
    }

    #[derive(Debug, PartialEq)]
    struct Outer(bool, Vec<i32>, Option<Inner>);

    impl FromFields for Outer {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let flag = fields.required("flag", boolean);
            let ids = fields.optional("ids", ids).unwrap_or_default();
            let inner = fields.optional_object("inner");
            Some(Self(flag?, ids, inner))
        }
    }

    fn read(value: Value) -> Result<Outer, Value> {
        let Value::Object(values) = value else { panic!("not an object") };
        Fields::read(values).map_err(Value::Object)
    }

    #[test]
    fn every_wrong_field_is_named_at_once_however_deep() {
        let errors = read(json!({"flag": "yes", "ids": [1, "2"], "inner": {"name": "toolong"}})).unwrap_err();
        let expected = json!({
            "flag": ["Not a valid boolean."],
            "ids": ["Not a valid list of integers."],
            "inner": {"name": ["Longer than maximum length 3."]},
        });
        assert_eq!(errors, expected);
    }

    #[test]
    fn null_counts_as_missing_where_a_field_is_optional() {
        assert_eq!(read(json!({"flag": true, "ids": null, "inner": null})), Ok(Outer(true, vec![], None)));
        assert_eq!(read(json!({"flag": null})).unwrap_err(), json!({"flag": ["Field may not be null."]}));
        assert_eq!(read(json!({})).unwrap_err(), json!({"flag": ["Missing data for required field."]}));
    }

    #[test]
    fn null_characters_are_refused_wherever_they_hide() {
        assert!(text(10)(json!("a\0b")).is_err());
        assert!(object(json!({"a": [{"b": "c\0"}]})).is_err());
        assert!(object(json!({"a\0": 1})).is_err());
        assert!(object(json!({"a": "b"})).is_ok());
    }
}
