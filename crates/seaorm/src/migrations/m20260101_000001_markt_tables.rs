//! The tables of the Markt application: made where there are none, and left as they are where there are.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::ForeignKeyAction::NoAction;
use sea_orm_migration::sea_query::extension::postgres::Type;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const VERIFICATION_STATUS: &str = "sellerverificationstatus";
const VERIFICATION_STATUSES: [&str; 5] = ["UNVERIFIED", "PENDING", "VERIFIED", "REJECTED", "SUSPENDED"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == sea_orm::DbBackend::Postgres;
        for (name, columns) in USED {
            if manager.has_table(name).await? {
                check_columns(manager, name, columns).await?;
                tracing::info!(table = name, "took over an existing table");
                continue;
            }
            if name == "sellers" && postgres && !has_verification_status(manager).await? {
                let kind = Type::create().as_enum(VERIFICATION_STATUS).values(VERIFICATION_STATUSES).to_owned();
                manager.create_type(kind).await?;
            }
            manager.create_table(table(name, postgres)).await?;
        }
        Ok(())
    }
}

/// The tables in the order in which they refer to each other, and the columns that this service reads or writes.
pub(super) const USED: [(&str, &[&str]); 6] = [
    (
        "users",
        &[
            "id",
            "email",
            "phone_number",
            "username",
            "password_hash",
            "profile_picture",
            "is_buyer",
            "is_seller",
            "is_active",
            "email_verified",
            "last_login_at",
            "created_at",
            "updated_at",
        ],
    ),
    ("buyers", &["id", "user_id", "buyername", "shipping_address", "is_active", "created_at", "updated_at"]),
    (
        "sellers",
        &[
            "id",
            "user_id",
            "shop_name",
            "shop_slug",
            "description",
            "policies",
            "total_rating",
            "total_raters",
            "verification_status",
            "is_active",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "user_addresses",
        &[
            "id",
            "user_id",
            "longitude",
            "latitude",
            "house_number",
            "street",
            "city",
            "state",
            "country",
            "postal_code",
            "created_at",
            "updated_at",
        ],
    ),
    ("categories", &["id"]),
    ("seller_categories", &["seller_id", "category_id", "is_primary", "created_at", "updated_at"]),
];

/// A table of the same name may be another application's.
async fn check_columns(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    let mut missing = Vec::new();
    for column in columns {
        if !manager.has_column(table, *column).await? {
            missing.push(*column);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(DbErr::Migration(format!(
        "the database has a table {table}, but without the columns {}: it is no Markt database, or one of another \
         version. Use another database, or add the columns.",
        missing.join(", ")
    )))
}

async fn has_verification_status(manager: &SchemaManager<'_>) -> Result<bool, DbErr> {
    let kinds = Query::select()
        .column("typname")
        .from("pg_type")
        .and_where(Expr::col("typname").eq(VERIFICATION_STATUS))
        .and_where(Expr::cust("pg_type_is_visible(oid)"))
        .take();
    Ok(manager.get_connection().query_one(&kinds).await?.is_some())
}

/// As SQLAlchemy makes it from the application's models.
fn table(name: &str, postgres: bool) -> TableCreateStatement {
    let mut table = Table::create().table(Alias::new(name)).to_owned();
    match name {
        "users" => users(&mut table),
        "buyers" => buyers(&mut table, postgres),
        "sellers" => sellers(&mut table, postgres),
        "user_addresses" => addresses(&mut table, postgres),
        "categories" => categories(&mut table, postgres),
        _ => seller_categories(&mut table),
    }
    table.col(ColumnDef::new("created_at").timestamp().not_null());
    table.col(ColumnDef::new("updated_at").timestamp().not_null());
    table
}

fn users(table: &mut TableCreateStatement) {
    table
        .col(ColumnDef::new("id").string_len(12).not_null().primary_key())
        .col(ColumnDef::new("email").string_len(120).not_null().unique_key())
        .col(ColumnDef::new("phone_number").string_len(20))
        .col(ColumnDef::new("username").string_len(50).not_null().unique_key())
        .col(ColumnDef::new("password_hash").string_len(128))
        .col(ColumnDef::new("profile_picture").string_len(255))
        .col(ColumnDef::new("is_buyer").boolean())
        .col(ColumnDef::new("is_seller").boolean())
        .col(ColumnDef::new("is_active").boolean())
        .col(ColumnDef::new("deactivated_at").timestamp())
        .col(ColumnDef::new("email_verified").boolean())
        .col(ColumnDef::new("last_login_at").timestamp());
}

fn buyers(table: &mut TableCreateStatement, postgres: bool) {
    number(table, postgres);
    user_id(table, "buyers");
    table
        .col(ColumnDef::new("buyername").string_len(50))
        .col(ColumnDef::new("shipping_address").json())
        .col(ColumnDef::new("is_active").boolean())
        .col(ColumnDef::new("deactivated_at").timestamp());
}

fn sellers(table: &mut TableCreateStatement, postgres: bool) {
    number(table, postgres);
    user_id(table, "sellers");
    let mut status = ColumnDef::new("verification_status");
    if postgres {
        status.custom(VERIFICATION_STATUS);
    } else {
        status.string_len(12);
    }
    table
        .col(ColumnDef::new("shop_name").string_len(100))
        .col(ColumnDef::new("shop_slug").string_len(110).unique_key())
        .col(ColumnDef::new("description").text())
        .col(ColumnDef::new("policies").json())
        .col(ColumnDef::new("total_rating").integer())
        .col(ColumnDef::new("total_raters").integer())
        .col(status)
        .col(ColumnDef::new("is_active").boolean())
        .col(ColumnDef::new("deactivated_at").timestamp());
}

fn addresses(table: &mut TableCreateStatement, postgres: bool) {
    number(table, postgres);
    user_id(table, "user_addresses");
    table
        .col(ColumnDef::new("longitude").double())
        .col(ColumnDef::new("latitude").double())
        .col(ColumnDef::new("house_number").string_len(20));
    for part in ["street", "city", "state", "country"] {
        table.col(ColumnDef::new(part).string_len(100));
    }
    table.col(ColumnDef::new("postal_code").string_len(20));
}

fn categories(table: &mut TableCreateStatement, postgres: bool) {
    number(table, postgres);
    table
        .col(ColumnDef::new("name").string_len(50).not_null().unique_key())
        .col(ColumnDef::new("description").text())
        .col(ColumnDef::new("slug").string_len(60).unique_key())
        .col(ColumnDef::new("image_url").string_len(255))
        .col(ColumnDef::new("parent_id").integer())
        .col(ColumnDef::new("is_active").boolean())
        .col(ColumnDef::new("category_metadata").json_binary())
        .foreign_key(&mut reference("categories", "parent_id", "categories"));
}

fn seller_categories(table: &mut TableCreateStatement) {
    table
        .col(ColumnDef::new("seller_id").integer().not_null())
        .col(ColumnDef::new("category_id").integer().not_null())
        .col(ColumnDef::new("is_primary").boolean())
        .primary_key(Index::create().col("seller_id").col("category_id"))
        .foreign_key(&mut reference("seller_categories", "seller_id", "sellers"))
        .foreign_key(&mut reference("seller_categories", "category_id", "categories"));
}

fn number(table: &mut TableCreateStatement, postgres: bool) {
    let mut id = ColumnDef::new("id");
    if postgres {
        // The builder would make an identity column, which SQLAlchemy doesn't.
        id.custom("serial");
    } else {
        id.integer().auto_increment();
    }
    table.col(id.not_null().primary_key());
}

fn user_id(table: &mut TableCreateStatement, name: &'static str) {
    table.col(ColumnDef::new("user_id").string_len(12));
    table.foreign_key(&mut reference(name, "user_id", "users"));
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").on_delete(NoAction).take()
}
