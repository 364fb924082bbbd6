//! Shops' names in URLs.

use std::collections::HashSet;

use markt_domain::user::UserId;
use sea_orm::Statement;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbBackend, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};

use crate::entities::sellers::{Column, Entity};

/// The longest stem, in bytes: what a number is appended to stays within the column's 110.
const MAX_STEM: usize = 100;

/// A slug for a shop of this name that no other shop has: the name's ASCII letters and digits in lower case, with `-`
/// between words, and a number if others came first. A name without any takes the user's id.
///
/// Of two transactions that look for the same slug, the second waits for the first to end. Others may still take it,
/// such as the Markt application's: then the insert fails, and is to be tried again from here on.
pub(super) async fn free(connection: &impl ConnectionTrait, shop_name: &str, user: &UserId) -> Result<String, DbErr> {
    let stem = Some(stem(shop_name)).filter(|stem| !stem.is_empty()).unwrap_or_else(|| self::stem(user.as_str()));
    if connection.get_database_backend() == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('auth shop slug ' || $1, 0))";
        connection
            .execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, lock, [stem.as_str().into()]))
            .await?;
    }
    let mut numbers = 1_u64..17;
    loop {
        let candidates: Vec<_> = numbers.clone().map(|number| numbered(&stem, number)).collect();
        let taken: HashSet<String> = Entity::find()
            .select_only()
            .column(Column::ShopSlug)
            .filter(Column::ShopSlug.is_in(&candidates))
            .into_tuple()
            .all(connection)
            .await?
            .into_iter()
            .collect();
        if let Some(free) = candidates.into_iter().find(|candidate| !taken.contains(candidate)) {
            return Ok(free);
        }
        numbers = numbers.end..numbers.end * 2;
    }
}

fn numbered(stem: &str, number: u64) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") }
}

fn stem(name: &str) -> String {
    let mut stem = String::new();
    for word in name.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !stem.is_empty() {
            stem.push('-');
        }
        stem.push_str(&word.to_ascii_lowercase());
    }
    stem.truncate(MAX_STEM);
    stem.truncate(stem.trim_end_matches('-').len());
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_the_names_ascii_words() {
        assert_eq!(stem("Ann's  Fine-Things 24/7!"), "ann-s-fine-things-24-7");
        assert_eq!(stem("--Café Ünder--"), "caf-nder");
        assert_eq!(stem("日本語"), "");
    }

    #[test]
    fn a_stem_leaves_room_for_a_number() {
        assert_eq!(stem(&"ab ".repeat(60)).len(), MAX_STEM);
        // No name that is cut ends with a hyphen.
        assert_eq!(stem(&"abc ".repeat(60)).len(), MAX_STEM - 1);
        assert_eq!(numbered("shop", 1), "shop");
        assert_eq!(numbered("shop", 2), "shop-2");
    }
}
