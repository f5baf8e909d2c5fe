package com.example.accounts;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.OptionalLong;
import org.sqlite.SQLiteConfig;

/** The tables, and the transactions over them. For one thread; other processes may have the same file open. */
final class Database implements AutoCloseable {
    private static final String[] TABLES = {
        "CREATE TABLE IF NOT EXISTS inbox(event_id TEXT PRIMARY KEY, topic TEXT, partition INTEGER, offset INTEGER)",
        "CREATE TABLE IF NOT EXISTS offsets(topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY(topic, partition))",
        "CREATE TABLE IF NOT EXISTS decisions(event_id TEXT PRIMARY KEY, endpoint TEXT, subject TEXT, customer_reference TEXT,"
                + " decision TEXT, finality TEXT, acted TEXT, occurred_at TEXT, received_at TEXT)",
        "CREATE TABLE IF NOT EXISTS rejected(topic TEXT, partition INTEGER, offset INTEGER, why TEXT,"
                + " PRIMARY KEY(topic, partition, offset))",
    };

    private final Connection connection;
    private final PreparedStatement inbox;
    private final PreparedStatement decision;
    private final PreparedStatement rejected;
    private final PreparedStatement move;
    private final PreparedStatement next;

    Database(String file) throws SQLException {
        SQLiteConfig config = new SQLiteConfig();
        config.setBusyTimeout(30_000); // SQLite has one writer at a time: the others wait
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.NORMAL);
        config.setTransactionMode(SQLiteConfig.TransactionMode.IMMEDIATE);
        connection = config.createConnection("jdbc:sqlite:" + file);
        try (var statement = connection.createStatement()) {
            for (String table : TABLES) {
                statement.execute(table);
            }
        }
        // A copy is ignored, not an error: an exception would roll the offset back, and the same record would come again
        // for ever.
        inbox = connection.prepareStatement("INSERT INTO inbox VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
        decision = connection.prepareStatement("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
        rejected = connection.prepareStatement("INSERT INTO rejected VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
        // Never backwards, should a member that was thrown out of the group end its batch late.
        move = connection.prepareStatement("INSERT INTO offsets VALUES (?, ?, ?)"
                + " ON CONFLICT DO UPDATE SET next = max(next, excluded.next)");
        next = connection.prepareStatement("SELECT next FROM offsets WHERE topic = ? AND partition = ?");
    }

    interface Work<T> {
        T run() throws SQLException;
    }

    /** Keeps all that the work writes, or nothing of it. */
    <T> T transaction(Work<T> work) throws SQLException {
        connection.setAutoCommit(false);
        try {
            T result = work.run();
            connection.commit();
            return result;
        } catch (SQLException | RuntimeException e) {
            connection.rollback();
            throw e;
        } finally {
            connection.setAutoCommit(true);
        }
    }

    /** Notes an event, and says whether it was not there before. */
    boolean isNew(String eventId, String topic, int partition, long offset) throws SQLException {
        return update(inbox, eventId, topic, partition, offset) == 1;
    }

    void decide(String eventId, Verdict v) throws SQLException {
        update(decision, eventId, v.endpoint(), v.subject(), v.customerReference(), v.decision(), v.finality(), v.acted(),
                v.occurredAt(), v.receivedAt());
    }

    void reject(String topic, int partition, long offset, String why) throws SQLException {
        update(rejected, topic, partition, offset, why);
    }

    void moveTo(String topic, int partition, long offset) throws SQLException {
        update(move, topic, partition, offset);
    }

    /** The offset to read next; none where nothing of the partition is stored. */
    OptionalLong next(String topic, int partition) throws SQLException {
        bind(next, topic, partition);
        try (ResultSet rows = next.executeQuery()) {
            return rows.next() ? OptionalLong.of(rows.getLong(1)) : OptionalLong.empty();
        }
    }

    private static int update(PreparedStatement statement, Object... values) throws SQLException {
        bind(statement, values);
        return statement.executeUpdate();
    }

    private static void bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i]);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
