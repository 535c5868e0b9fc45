"""SQLAlchemy connects, reflects and works inside a limited grant. Prints what it sees, for comparison."""

import faulthandler
import os

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

url = sa.URL.create(
    "mysql+pymysql",
    username=os.environ["DB_USER"],
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    database=os.environ["DB_NAME"],
)
arguments = {"password": os.environ["DB_PASSWORD"].encode(), "ssl": {"ca": os.environ["DB_CA"]}}
engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=True)
look = sa.inspect(engine)
print(sorted(look.get_table_names()), "shop" in look.get_schema_names(), look.get_view_names())
print([(column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns("orders")])
print(look.get_pk_constraint("orders"), look.get_foreign_keys("orders"), look.get_indexes("orders"))
print(look.has_table("orders"))
orders = sa.Table("orders", sa.MetaData(), autoload_with=engine, resolve_fks=False)
print([column.name for column in orders.columns])


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    sale_id: Mapped[int]
    qty: Mapped[int]


class Sale(Base):
    __tablename__ = "sales"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    price: Mapped[int] = mapped_column(deferred=True)


with Session(engine) as session:
    statement = sa.select(Sale.sku, sa.func.sum(Order.qty)).join(Order, Order.sale_id == Sale.id).group_by(Sale.sku)
    print(session.execute(statement.order_by(Sale.sku).limit(3)).all())
    session.add_all(Order(sale_id=1, qty=number) for number in range(10))
    session.flush()
    print(session.scalar(sa.select(sa.func.count()).select_from(Order)))
    session.get(Order, 1, with_for_update=True).qty += 1
    session.flush()
    session.rollback()
    sale = session.get(Sale, 1)
    print(sale.sku)
    for wrong in (lambda: sale.price, lambda: session.execute(sa.delete(Order)), lambda: session.execute(sa.text("select * from sales"))):
        try:
            wrong()
        except sa.exc.DBAPIError as error:
            print(type(error).__name__, error.orig.args[0])
            session.rollback()
engine.dispose()
