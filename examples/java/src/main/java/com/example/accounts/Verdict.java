package com.example.accounts;

import com.google.protobuf.Timestamp;
import com.kycbridge.kyc.v1.Decision;
import com.kycbridge.kyc.v1.Environment;
import com.kycbridge.kyc.v1.Finality;
import com.kycbridge.kyc.v1.SessionEvent;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;

/** A decision of a vendor, and what this program does about it. Times are RFC 3339, or empty where the vendor gives none. */
record Verdict(
        String endpoint,
        String subject,
        String customerReference,
        String decision,
        String finality,
        String acted,
        String occurredAt,
        String receivedAt) {
    private static final DateTimeFormatter RFC_3339 = new DateTimeFormatterBuilder().appendInstant(-1).toFormatter();

    static Verdict of(SessionEvent event, String key, boolean sandboxToo) {
        var metadata = event.getMetadata();
        return new Verdict(
                metadata.getEndpoint(),
                key == null ? "" : key.substring(key.indexOf('/') + 1),
                metadata.getSubject().getCustomerReference(),
                word(event.getDecision(), event.getDecisionValue(), "DECISION_"),
                word(event.getFinality(), event.getFinalityValue(), "FINALITY_"),
                act(event, sandboxToo),
                time(metadata.hasOccurredAt(), metadata.getOccurredAt()),
                time(metadata.hasReceivedAt(), metadata.getReceivedAt()));
    }

    /** Only `open` opens an account. */
    private static String act(SessionEvent event, boolean sandboxToo) {
        if (event.getMetadata().getEnvironment() != Environment.ENVIRONMENT_LIVE && !sandboxToo) {
            return "sandbox"; // approves nobody; an environment that is new to us does not either
        }
        if (event.getDecision() == Decision.UNRECOGNIZED) {
            return "unknown"; // a word that came after this code: never an approval
        }
        if (event.getFinality() == Finality.FINALITY_PRELIMINARY) {
            return "wait";
        }
        if (event.getMetadata().getSubject().getCustomerReference().isEmpty()) {
            return "no reference"; // whose account? somebody has to look
        }
        return switch (event.getDecision()) {
            case DECISION_APPROVED -> "open";
            case DECISION_DECLINED -> "refuse";
            default -> "ask";
        };
    }

    /**
     * An enum's value without the name of its enum. `getNumber()` of UNRECOGNIZED throws; the number that was sent is
     * in the field's second getter, `getDecisionValue()`.
     */
    private static String word(Enum<?> value, int number, String prefix) {
        return value.name().equals("UNRECOGNIZED") ? "UNKNOWN_" + number : value.name().substring(prefix.length());
    }

    private static String time(boolean given, Timestamp at) {
        return given ? RFC_3339.format(Instant.ofEpochSecond(at.getSeconds(), at.getNanos())) : "";
    }

    @Override
    public String toString() {
        return "%s %s %s/%s %s -> %s".formatted(decision, finality, endpoint, subject, customerReference, acted);
    }
}
