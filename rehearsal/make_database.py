"""Writes fixtures/markt.sql: a database as the Markt application left it, with hashes made by passlib.

Run it with what requirements.txt names: `python make_database.py`. Salts are random, so that each run makes another file.
"""

import json
from datetime import datetime
from pathlib import Path

from passlib.hash import pbkdf2_sha256
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import CreateEnumType
from sqlalchemy.schema import CreateTable

from markt.models import Base, Buyer, Category, Seller, SellerCategory, User, UserAddress

PASSWORD = "Password123"
THEN = datetime(2025, 1, 2, 3, 4, 5)
DIALECT = postgresql.dialect()


def user(number, username, **more):
    row = {
        "id": f"USR_OLD{number:05}",
        "email": f"{username}@example.com",
        "username": username,
        "password_hash": pbkdf2_sha256.hash(PASSWORD),
        "profile_picture": "default.jpg",
        "is_buyer": True,
        "is_seller": False,
        "is_active": True,
        "email_verified": True,
    }
    return User, row | more


def rows():
    yield user(1, "ann", is_seller=True, phone_number="+2348012345678")
    yield user(2, "Bob", email="Bob@Example.com")
    yield user(3, "cleo", is_active=False, deactivated_at=THEN)
    yield user(4, "dora", email_verified=False)
    # As rows look that were made before the columns were.
    yield user(5, "emil", is_buyer=None, is_seller=None, is_active=None, profile_picture=None)
    yield user(6, "fay", password_hash=None)
    # Made by bcrypt, by a still older application, for another password.
    yield user(7, "gus", password_hash="$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m")
    yield user(8, "hal", email="hal@localhost")
    yield Buyer, {"id": 1, "user_id": "USR_OLD00001", "buyername": "Ann", "shipping_address": {"city": "Lagos"}}
    yield Seller, {
        "id": 1,
        "user_id": "USR_OLD00001",
        "shop_name": "Ann's Shop",
        "shop_slug": "ann-s-shop",
        "description": "Fine things",
        "policies": {"returns": "30 days"},
        "total_rating": 9,
        "total_raters": 2,
        "verification_status": "VERIFIED",
        "is_active": True,
    }
    yield UserAddress, {"id": 1, "user_id": "USR_OLD00001", "street": "Main", "city": "Lagos", "country": "Nigeria"}
    yield Category, {"id": 1, "name": "Food", "slug": "food", "is_active": True, "category_metadata": {"icon": "apple"}}
    yield SellerCategory, {"seller_id": 1, "category_id": 1, "is_primary": True}


def literal(value):
    """As it stands in a statement: SQLAlchemy has no literals for JSON."""
    return text(f"'{json.dumps(value)}'") if isinstance(value, dict) else value


def compiled(statement):
    return str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})).strip()


def statements():
    yield compiled(CreateEnumType(Seller.__table__.c.verification_status.type))
    for table in Base.metadata.sorted_tables:
        yield compiled(CreateTable(table))
    for model, row in rows():
        row = {name: literal(value) for name, value in row.items()}
        yield compiled(insert(model.__table__).values(row | {"created_at": THEN, "updated_at": THEN}))
    for table in ("buyers", "sellers", "user_addresses", "categories"):
        yield f"SELECT setval('{table}_id_seq', 1)"


if __name__ == "__main__":
    heading = "-- Made by rehearsal/make_database.py. The password of all users that have a hash of passlib's: Password123\n\n"
    sql = heading + ";\n\n".join(statements()) + ";\n"
    Path(__file__).with_name("fixtures").joinpath("markt.sql").write_text(sql)
