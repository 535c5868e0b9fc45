"""What an application does with SQLAlchemy on PyMySQL. Prints what it sees, for comparison with a direct connection."""

import faulthandler
import os

from sqlalchemy import ForeignKey, String, create_engine, func, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


url = URL.create(
    "mysql+pymysql",
    username=os.environ["DB_USER"],
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    database=os.environ["DB_NAME"],
)
arguments = {"password": os.environ["DB_PASSWORD"].encode()}
if os.environ["DB_CA"]:
    arguments["ssl"] = {"ca": os.environ["DB_CA"]}
engine = create_engine(url, connect_args=arguments, pool_pre_ping=True)
print(engine.dialect.name)
Base.metadata.create_all(engine)
print(engine.dialect.server_version_info, engine.dialect.is_mariadb)
with Session(engine) as session:
    session.add_all(Author(name=f"Äuthor {n}", books=[Book(title=f"book {n}.{m}") for m in range(5)]) for n in range(20))
    session.commit()
    statement = select(Author.name, func.count(Book.id)).join(Author.books).group_by(Author.name).order_by(Author.name)
    print(session.execute(statement.limit(3)).all())
    author = session.scalars(select(Author).where(Author.name == "Äuthor 7")).one()
    author.books.pop()
    session.delete(session.get(Author, 1))
    session.commit()
    print(session.scalar(select(func.count()).select_from(Book)))
    session.add(Author(name="Äuthor 7"))
    try:
        session.commit()
    except DBAPIError as error:
        print(type(error).__name__, error.orig.args)
        session.rollback()
    print(session.scalars(select(Author).order_by(Author.id).with_for_update()).first().name)
inspector = inspect(engine)
for table in sorted(inspector.get_table_names()):
    columns = [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)]
    print(table, columns, inspector.get_pk_constraint(table))
    print(inspector.get_foreign_keys(table), inspector.get_indexes(table), inspector.get_unique_constraints(table))
with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
    print(connection.execute(text("select :a + :b"), {"a": 1, "b": 2}).scalar(), connection.get_isolation_level())
Base.metadata.drop_all(engine)
engine.dispose()
