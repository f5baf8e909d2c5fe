package complycube

import (
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// resourceKind is a kind of resource: its name, its fields and where its id belongs.
type resourceKind struct {
	name     string
	resource kycv1.Resource
	fields   []providers.Fields
	subject  func(id string) *kycv1.Subject
}

var client = resourceKind{
	name: "client", resource: kycv1.Resource_RESOURCE_CLIENT,
	fields:  []providers.Fields{clientFields},
	subject: func(id string) *kycv1.Subject { return &kycv1.Subject{ClientId: id} },
}

var document = resourceKind{
	name: "document", resource: kycv1.Resource_RESOURCE_DOCUMENT,
	fields:  []providers.Fields{documentFields, owned},
	subject: func(id string) *kycv1.Subject { return &kycv1.Subject{DocumentId: id} },
}

var address = resourceKind{
	name: "address", resource: kycv1.Resource_RESOURCE_ADDRESS,
	fields:  []providers.Fields{addressFields, owned},
	subject: func(id string) *kycv1.Subject { return &kycv1.Subject{AddressId: id} },
}

// checkResource is a check whose fields changed, but not how it stands.
var checkResource = resourceKind{
	name: "check", resource: kycv1.Resource_RESOURCE_CHECK,
	subject: func(id string) *kycv1.Subject { return &kycv1.Subject{CheckId: id} },
}

// resource maps one event type; changed are fields that the type itself names.
func resource(k resourceKind, change kycv1.Change, changed ...string) providers.MapFunc {
	return mapper(func(r *run) error {
		r.addResource(k, change, changed)
		return nil
	}, k.fields...)
}

func (r *run) addResource(k resourceKind, change kycv1.Change, changed []string) {
	e := &kycv1.ResourceEvent{
		Metadata: r.metadata(k.subject(r.id)), Resource: k.resource, Change: change,
		VendorResource: providers.FirstWord(r.Doc.At("resourceType").Text(), k.name),
		VendorStatus:   providers.Word(r.Type[strings.LastIndexByte(r.Type, '.')+1:]),
	}
	if change == kycv1.Change_CHANGE_UPDATED {
		e.ChangedFields = r.changedFields(changed)
	}
	if k.resource == kycv1.Resource_RESOURCE_CLIENT {
		e.Metadata.Subject.CustomerReference = r.reference()
	}
	r.Add(e)
}

// noChange are names that an update carries anyway: ids and time stamps.
var noChange = map[string]bool{
	"id": true, "clientId": true, "documentId": true, "addressId": true, "livePhotoId": true, "liveVideoId": true,
	"createdAt": true, "updatedAt": true,
}

// changedFields are the names in the payload, which holds only what changed. A
// name that is no code stays inside: it might be data.
func (r *run) changedFields(changed []string) []string {
	out := slices.Clone(changed)
	for name := range r.payload.Members() {
		if !noChange[name] && providers.IsCode(name) && !slices.Contains(out, name) && len(out) < 1000 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// reference is the customer's own reference.
func (r *run) reference() string { return r.Reference(r.payload.At("externalId")) }
