"""SQLAlchemy connects, looks around and works inside a limited grant. Prints what it sees, for comparison."""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ALLOWED = ["id", "prod_name", "sku"]

engine = sa.create_engine("postgresql+psycopg2://", connect_args={"sslmode": "disable"})
look = sa.inspect(engine)
print({"orders", "sales"} <= set(look.get_table_names()), "public" in look.get_schema_names())
print([column["name"] for column in look.get_columns("sales") if column["name"] in ALLOWED])
print([(column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns("orders")])
print(look.get_pk_constraint("orders"), look.get_foreign_keys("orders"))
print(look.get_indexes("orders"), look.get_unique_constraints("orders"), look.get_check_constraints("orders"))
print(look.get_table_comment("orders"), look.get_table_options("orders"))
look.get_view_names(), look.get_materialized_view_names(), look.get_temp_table_names(), look.get_sequence_names()
look.get_enums(), look.get_domains(), look.has_table("orders"), look.has_index("orders", "orders_pkey")
look.get_multi_columns(), look.get_multi_foreign_keys(), look.get_multi_indexes(), look.get_multi_pk_constraint()

meta = sa.MetaData()
meta.reflect(engine, only=["orders", "sales"])
print(sorted(table.name for table in meta.sorted_tables), meta.tables["orders"].c.keys())


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    sale_id: Mapped[int | None]
    qty: Mapped[int | None]


with Session(engine) as session:
    print([(order.id, order.qty) for order in session.scalars(sa.select(Order).order_by(Order.id))])
    session.add_all([Order(sale_id=1, qty=n) for n in range(5)])
    session.flush()
    session.get(Order, 1).qty = 99
    session.flush()
    sales = meta.tables["sales"]
    print(session.execute(sa.select(sales.c.sku, Order.qty).join(Order, Order.sale_id == sales.c.id).where(Order.id == 1)).all())
    session.rollback()
    try:
        session.execute(sa.select(sales))
    except sa.exc.ProgrammingError as error:
        print(error.orig.pgcode)
