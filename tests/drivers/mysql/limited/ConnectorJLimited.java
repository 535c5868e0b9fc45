// MariaDB Connector/J connects, looks around and works inside a limited grant. Prints what it sees, for comparison.

import java.sql.*;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;

public class ConnectorJLimited {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:mariadb://127.0.0.1:" + System.getenv("DB_PORT") + "/" + System.getenv("DB_NAME");
        for (String prepares : new String[] {"false", "true"}) {
            Properties properties = new Properties();
            properties.setProperty("user", System.getenv("DB_USER"));
            properties.setProperty("password", System.getenv("DB_PASSWORD"));
            properties.setProperty("useServerPrepStmts", prepares);
            properties.setProperty("sslMode", "verify-full");
            properties.setProperty("serverSslCert", System.getenv("DB_CA"));
            try (Connection connection = DriverManager.getConnection(url, properties)) {
                System.out.println("== server-side prepared statements: " + prepares);
                look(connection.getMetaData());
                work(connection);
            }
        }
    }

    private static Set<String> column(ResultSet rows, String name) throws SQLException {
        Set<String> seen = new TreeSet<>();
        try (rows) {
            while (rows.next()) seen.add(rows.getString(name));
        }
        return seen;
    }

    // What DBeaver and its like ask for when they open a connection.
    private static void look(DatabaseMetaData about) throws SQLException {
        System.out.println(about.getDatabaseProductName() + " " + about.getDatabaseProductVersion());
        System.out.println(column(about.getTables("shop", null, "%", new String[] {"TABLE"}), "TABLE_NAME"));
        System.out.println(column(about.getColumns("shop", null, "sales", "%"), "COLUMN_NAME"));
        System.out.println(column(about.getColumns("shop", null, "orders", "%"), "COLUMN_NAME"));
        System.out.println(column(about.getPrimaryKeys("shop", null, "orders"), "COLUMN_NAME"));
        System.out.println(column(about.getImportedKeys("shop", null, "orders"), "FKCOLUMN_NAME"));
        System.out.println(column(about.getIndexInfo("shop", null, "orders", false, false), "INDEX_NAME"));
        System.out.println(column(about.getBestRowIdentifier("shop", null, "orders", 1, true), "COLUMN_NAME"));
        System.out.println(column(about.getCatalogs(), "TABLE_CAT").contains("shop"));
        System.out.println(column(about.getTypeInfo(), "TYPE_NAME").contains("INT"));
        column(about.getTableTypes(), "TABLE_TYPE");
        column(about.getProcedures("shop", null, "%"), "PROCEDURE_NAME");
        column(about.getFunctions("shop", null, "%"), "FUNCTION_NAME");
        column(about.getProcedureColumns("shop", null, "%", "%"), "COLUMN_NAME");
        column(about.getTablePrivileges("shop", null, "orders"), "PRIVILEGE");
        column(about.getColumnPrivileges("shop", null, "sales", "sku"), "PRIVILEGE");
        column(about.getVersionColumns("shop", null, "orders"), "COLUMN_NAME");
        System.out.println(about.getMaxColumnNameLength() + " " + about.getDefaultTransactionIsolation());
    }

    private static void work(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        try (PreparedStatement select = connection.prepareStatement("select id, sku from sales where id >= ? order by id")) {
            select.setFetchSize(2);
            for (int round = 0; round < 3; round++) {
                select.setInt(1, round);
                StringBuilder seen = new StringBuilder();
                try (ResultSet rows = select.executeQuery()) {
                    ResultSetMetaData about = rows.getMetaData();
                    seen.append(about.getColumnName(2)).append(about.getTableName(2)).append(about.isNullable(1));
                    while (rows.next()) seen.append(' ').append(rows.getInt(1)).append(rows.getString(2));
                }
                System.out.println(seen);
            }
        }
        String insert = "insert into orders (sale_id, qty) values (?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
            statement.setInt(1, 1);
            statement.setInt(2, 3);
            statement.executeUpdate();
            try (ResultSet keys = statement.getGeneratedKeys()) {
                System.out.println(keys.next());
            }
            for (int n = 0; n < 20; n++) {
                statement.setInt(1, 2);
                statement.setInt(2, n);
                statement.addBatch();
            }
            System.out.println(statement.executeBatch().length);
        }
        connection.rollback();
        for (String refused : new String[] {"select card_number from sales", "select * from sales", "delete from orders",
                "select * from hr.reviews", "insert into employees (id) values (1)"}) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(refused);
                System.out.println(refused);
            } catch (SQLException error) {
                System.out.println(refused + " " + error.getErrorCode() + " " + error.getSQLState());
            }
            connection.rollback();
        }
        System.out.println(connection.isValid(10) + " " + connection.getCatalog());
    }
}
