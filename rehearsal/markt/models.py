"""The tables of the Markt application, as SQLAlchemy makes them."""

from datetime import datetime, timezone

from flask_login import UserMixin
from sqlalchemy import JSON, Boolean, DateTime, Enum, Float, ForeignKey, Integer, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

STATUSES = ("UNVERIFIED", "PENDING", "VERIFIED", "REJECTED", "SUSPENDED")


def now():
    """The time in UTC, without a time zone: that is how the columns have it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Base(DeclarativeBase):
    @declared_attr
    def created_at(cls) -> Mapped[datetime]:
        return mapped_column(DateTime, nullable=False, default=now, sort_order=100)

    @declared_attr
    def updated_at(cls) -> Mapped[datetime]:
        return mapped_column(DateTime, nullable=False, default=now, onupdate=now, sort_order=101)


class User(UserMixin, Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    phone_number: Mapped[str | None] = mapped_column(String(20))
    username: Mapped[str] = mapped_column(String(50), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(128))
    profile_picture: Mapped[str | None] = mapped_column(String(255))
    is_buyer: Mapped[bool | None] = mapped_column(Boolean)
    is_seller: Mapped[bool | None] = mapped_column(Boolean)
    # Shadows what UserMixin has, as the application does: who is deactivated isn't let in.
    is_active: Mapped[bool | None] = mapped_column(Boolean)
    deactivated_at: Mapped[datetime | None] = mapped_column(DateTime)
    email_verified: Mapped[bool | None] = mapped_column(Boolean)
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime)

    buyer: Mapped["Buyer | None"] = relationship(uselist=False)
    seller: Mapped["Seller | None"] = relationship(uselist=False)


class Buyer(Base):
    __tablename__ = "buyers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(12), ForeignKey("users.id"))
    buyername: Mapped[str | None] = mapped_column(String(50))
    shipping_address = mapped_column(JSON)
    is_active: Mapped[bool | None] = mapped_column(Boolean)
    deactivated_at: Mapped[datetime | None] = mapped_column(DateTime)


class Seller(Base):
    __tablename__ = "sellers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(12), ForeignKey("users.id"))
    shop_name: Mapped[str | None] = mapped_column(String(100))
    shop_slug: Mapped[str | None] = mapped_column(String(110), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    policies = mapped_column(JSON)
    total_rating: Mapped[int | None] = mapped_column(Integer)
    total_raters: Mapped[int | None] = mapped_column(Integer)
    verification_status = mapped_column(Enum(*STATUSES, name="sellerverificationstatus"))
    is_active: Mapped[bool | None] = mapped_column(Boolean)
    deactivated_at: Mapped[datetime | None] = mapped_column(DateTime)


class UserAddress(Base):
    __tablename__ = "user_addresses"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(12), ForeignKey("users.id"))
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)
    house_number: Mapped[str | None] = mapped_column(String(20))
    street: Mapped[str | None] = mapped_column(String(100))
    city: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(100))
    country: Mapped[str | None] = mapped_column(String(100))
    postal_code: Mapped[str | None] = mapped_column(String(20))


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    slug: Mapped[str | None] = mapped_column(String(60), unique=True)
    image_url: Mapped[str | None] = mapped_column(String(255))
    parent_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("categories.id"))
    is_active: Mapped[bool | None] = mapped_column(Boolean)
    category_metadata = mapped_column(JSONB)


class SellerCategory(Base):
    __tablename__ = "seller_categories"

    seller_id: Mapped[int] = mapped_column(Integer, ForeignKey("sellers.id"), primary_key=True)
    category_id: Mapped[int] = mapped_column(Integer, ForeignKey("categories.id"), primary_key=True)
    is_primary: Mapped[bool | None] = mapped_column(Boolean)
