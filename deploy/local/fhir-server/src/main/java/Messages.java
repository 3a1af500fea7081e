import ca.uhn.fhir.jpa.api.dao.DaoRegistry;
import ca.uhn.fhir.rest.annotation.Operation;
import ca.uhn.fhir.rest.annotation.OperationParam;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import java.util.Objects;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Bundle.BundleType;
import org.hl7.fhir.r4.model.MessageHeader;
import org.hl7.fhir.r4.model.MessageHeader.ResponseType;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.OperationOutcome.IssueSeverity;
import org.hl7.fhir.r4.model.OperationOutcome.IssueType;

/** Takes messages as a cancer registry may: what the header focuses on is stored under its own id, and the answer says so. */
public class Messages {

    private static final String EVENT = "cancer-report-message";

    private final DaoRegistry registry;

    Messages(DaoRegistry registry) {
        this.registry = registry;
    }

    /** Stores the Bundle in focus; 200 in either case, and whether it was processed stands in the answering header. */
    @Operation(name = "$process-message")
    public Bundle process(
            @OperationParam(name = "content", min = 1, max = 1, typeName = "Bundle") Bundle message,
            RequestDetails request) {
        var header = message.getEntryFirstRep().getResource() instanceof MessageHeader first ? first : new MessageHeader();
        var focus = message.getEntry().stream()
                .filter(entry -> header.getFocus().stream().anyMatch(
                        one -> Objects.equals(entry.getFullUrl(), one.getReference())
                                || String.valueOf(entry.getFullUrl()).endsWith("/" + one.getReference())))
                .map(Bundle.BundleEntryComponent::getResource)
                .filter(Bundle.class::isInstance)
                .map(Bundle.class::cast)
                .findFirst();
        var taken = message.getType() == BundleType.MESSAGE
                && EVENT.equals(header.getEventCoding().getCode())
                && focus.isPresent();
        if (taken) {
            registry.getResourceDao(Bundle.class).update(focus.get(), request);
        }
        return answer(header, taken);
    }

    private static Bundle answer(MessageHeader asked, boolean taken) {
        var header = new MessageHeader();
        header.setEvent(asked.getEvent());
        header.getSource().setEndpoint("urn:synoptic:test-server");
        header.getResponse()
                .setIdentifier(asked.getIdElement().getIdPart())
                .setCode(taken ? ResponseType.OK : ResponseType.FATALERROR);
        var bundle = new Bundle().setType(BundleType.MESSAGE);
        bundle.addEntry().setResource(header);
        if (!taken) {
            var outcome = new OperationOutcome();
            outcome.addIssue().setSeverity(IssueSeverity.ERROR).setCode(IssueType.INVALID);
            bundle.addEntry().setResource(outcome);
        }
        return bundle;
    }
}
