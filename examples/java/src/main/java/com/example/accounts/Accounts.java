package com.example.accounts;

import build.buf.protovalidate.Validator;
import build.buf.protovalidate.ValidatorFactory;
import build.buf.protovalidate.exceptions.ValidationException;
import com.google.protobuf.InvalidProtocolBufferException;
import com.kycbridge.kyc.v1.Decision;
import com.kycbridge.kyc.v1.SessionEvent;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads what identity verifications came to, and stores each decision once with what to do about it. */
public final class Accounts {
    private final Consumer<String, byte[]> consumer;
    private final Database database;
    private final Validator validator = ValidatorFactory.newBuilder().build();
    private final boolean sandboxToo = setting("KYC_SANDBOX", "").equals("1");

    private Accounts(Consumer<String, byte[]> consumer, Database database) {
        this.consumer = consumer;
        this.database = database;
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, setting("KYC_BROKERS", "127.0.0.1:9092"),
                ConsumerConfig.GROUP_ID_CONFIG, setting("KYC_GROUP", "accounts"),
                ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed", // else events of aborted transactions show
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false, // the offsets are in the database
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        try (var database = new Database(setting("KYC_DB", "accounts.db"));
                var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer())) {
            wakeOnShutdown(consumer);
            new Accounts(consumer, database).run(setting("KYC_TOPIC", "kyc.session.v1"));
        } catch (WakeupException e) {
            // Asked to end: everything that was read to its end is stored.
        }
    }

    private static String setting(String variable, String otherwise) {
        return System.getenv().getOrDefault(variable, otherwise);
    }

    private static void wakeOnShutdown(Consumer<?, ?> consumer) {
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join(10_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    private void run(String topic) throws SQLException {
        boolean untilEnd = setting("KYC_UNTIL_END", "").equals("1");
        Map<TopicPartition, Long> ends = untilEnd ? ends(topic) : Map.of();
        consumer.subscribe(List.of(topic), new FromDatabase());
        while (!untilEnd || !reached(ends)) {
            for (var record : consumer.poll(Duration.ofMillis(200))) {
                handle(record);
            }
        }
    }

    /** The end of each partition, as far as its transactions are decided. */
    private Map<TopicPartition, Long> ends(String topic) {
        return consumer.endOffsets(consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                .toList());
    }

    /** Compares positions, not records: the last entries of a partition may be markers or aborted records, which never show. */
    private boolean reached(Map<TopicPartition, Long> ends) {
        var mine = consumer.assignment();
        return !mine.isEmpty() && mine.stream().allMatch(p -> consumer.position(p) >= ends.getOrDefault(p, 0L));
    }

    /** Continues where the database says. What the group has committed, or its start, counts where it says nothing. */
    private final class FromDatabase implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            for (TopicPartition partition : partitions) {
                next(partition).ifPresent(offset -> consumer.seek(partition, offset));
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            // Called from poll, so every record handed out before is stored.
        }
    }

    private OptionalLong next(TopicPartition partition) {
        try {
            return database.next(partition.topic(), partition.partition());
        } catch (SQLException e) {
            throw new IllegalStateException("read the next offset of " + partition, e);
        }
    }

    /** Stores a record and the offset after it in one transaction: killed at any moment, it is stored once. */
    private void handle(ConsumerRecord<String, byte[]> record) throws SQLException {
        Verdict verdict = database.transaction(() -> {
            Verdict applied = apply(record);
            database.moveTo(record.topic(), record.partition(), record.offset() + 1); // of duplicates and rejects too
            return applied;
        });
        if (verdict != null) {
            System.out.println(verdict);
        }
    }

    /** Returns what was decided; null where nothing is, or nothing new. */
    private Verdict apply(ConsumerRecord<String, byte[]> record) throws SQLException {
        String id = header(record, "ce_id");
        if (id.isEmpty()) {
            database.reject(record.topic(), record.partition(), record.offset(), "no id");
            return null;
        }
        if (!database.isNew(id, record.topic(), record.partition(), record.offset())) {
            return null;
        }
        try {
            SessionEvent event = SessionEvent.parseFrom(record.value() == null ? new byte[0] : record.value());
            if (!validator.validate(event).isSuccess()) {
                database.reject(record.topic(), record.partition(), record.offset(), "invalid");
                return null;
            }
            if (event.getDecision() == Decision.DECISION_UNSPECIFIED) {
                return null; // the life of a verification, not its outcome
            }
            Verdict verdict = Verdict.of(event, record.key(), sandboxToo);
            database.decide(id, verdict);
            return verdict;
        } catch (InvalidProtocolBufferException e) {
            database.reject(record.topic(), record.partition(), record.offset(), "undecodable");
            return null;
        } catch (ValidationException e) {
            throw new IllegalStateException("the rules of the contract cannot be run", e);
        }
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null || header.value() == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }
}
