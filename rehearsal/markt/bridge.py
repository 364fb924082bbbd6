"""The way back: lets the application know who is logged in at markt-auth, without asking markt-auth itself.

A session of markt-auth's is JSON in Redis, under the SHA-256 of the cookie. What it says counts as long as it is there, and
its epoch is the user's: that is raised when all of a user's sessions are ended.
"""

import json
from hashlib import sha256

from sqlalchemy import text

# For requests under way with the same cookie, and answers that are lost.
GRACE = 60

EPOCH = text("SELECT session_epoch FROM auth_user_states WHERE user_id = :user")


def user_of_markt_auth(cookie, redis, engine, load_user):
    """The user, or nobody. Who gets a session here for it must not keep the other: it ends after the grace."""
    if not cookie:
        return None
    key = "session:" + sha256(cookie.encode()).hexdigest()
    try:
        found = json.loads(redis.get(key) or b"null")
    except ValueError:
        return None
    if not found or "epoch" not in found:
        return None
    with engine.connect() as database:
        epoch = database.execute(EPOCH, {"user": found["user_id"]}).scalar()
    user = load_user(found["user_id"]) if found["epoch"] >= (epoch or 0) else None
    if user is None or user.is_active is False:
        return None
    if redis.ttl(key) > GRACE:
        redis.expire(key, GRACE)
    return user
