package idenfy

import (
	"maps"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// What is known of the body of each type. A name that is not here is drift, and so is one
// that holds another kind of value than is read there. README.md says which source has
// what; inferred are those that none has.

// table are names, separated by blanks, whose fields hold the same.
func table(f providers.Field, names string) providers.Fields {
	t := providers.Fields{}
	for _, name := range strings.Fields(names) {
		t[name] = f
	}
	return t
}

// What a field may hold.
func unread(names string) providers.Fields   { return table(providers.AnyField, names) } // nothing depends on it
func texts(names string) providers.Fields    { return table(providers.TextField, names) }
func ids(names string) providers.Fields      { return table(providers.IDField, names) }
func booleans(names string) providers.Fields { return table(providers.FlagField, names) }

func objects(names string, members ...providers.Fields) providers.Fields {
	return table(providers.ObjectField(join(members...)), names)
}

func lists(names string, item providers.Field) providers.Fields {
	return table(providers.ListField(item), names)
}

// join puts tables together. What a later one says of a name counts.
func join(tables ...providers.Fields) providers.Fields {
	all := providers.Fields{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// serviceResult is an item of AML, LID, CRIMINAL_CHECK and results. Its entries are
// persons, companies and articles on lists, documents, offences, and risks of companies.
var serviceResult = providers.ObjectField(join(
	texts("serviceName"), unread("serviceGroupType uid errorMessage"),
	objects("status", booleans("serviceSuspected serviceUsed checkSuccessful"), unread("serviceFound"), texts("overallStatus")),
	lists("data", providers.ObjectField(join(
		texts("suspicion listName url"), ids("listNumber"), booleans("whitelisted"),
		unread(`
			name surname nationality dob reason score lastUpdate exitDate isPerson isActive linkedDocument pepLevel category
			otherInformation checkDate title text type publishDate documentNumber documentType valid expiryDate fullName county
			region offenses result companyName country`),
	))),
))

// serviceResults is a list of them. Whatever its name, one in its place is read too.
var serviceResults = providers.ListField(serviceResult)

// screeningFields are those of a result of the third generation of AML checks.
var screeningFields = join(
	ids("id"), texts("overallStatus statusSetAt"), unread("statusSetBy userType"),
	lists("adverseMedia", providers.ObjectField(join(
		texts("url"), unread("title text score type publishDate checkDate status comment"),
	))),
	lists("amlCheck", providers.ObjectField(join(
		ids("resourceId"), lists("datasets", providers.TextField),
		unread(`
			version score match name addresses nationalities countries datesOfBirth gender profileImage currentSanBodyIds
			formerSanBodyIds pepTier`),
	))),
)

// registryStatuses are the words of a registry's comparison, one for each field.
const registryStatuses = `
	firstNameStatus lastNameStatus middleNameStatus dobStatus yobStatus address1Status address2Status cityStatus stateStatus
	zipStatus idNumStatus phoneStatus emailStatus`

// addressFields stand at the top of a verification, and in its data in the vendor's own
// sample.
var addressFields = join(
	texts("manualAddress"), booleans("manualAddressMatch"),
	objects("addressVerification", texts("status"), unread("address country accuracy quality")),
	objects("registryCenterCheck",
		texts(registryStatuses),
		unread(`
			resourceType checkedMrz firstName lastName middleName maidenName mothersMaidenName birthDate birthPlace address
			residentialAddress nationality idCard passport additionalData checkedPersonalNumber checkedDocumentType
			personalNumber name surname documentNumber documentExpiration facePhoto dob yob address1 address2 city state zip
			idNum phone email`),
	),
)

var statusFields = join(
	texts("overall autoFace manualFace autoDocument manualDocument additionalSteps"),
	texts("amlResultClass pepsStatus sanctionsStatus adverseMediaStatus"),
	lists("suspicionReasons denyReasons fraudTags mismatchTags", providers.TextField),
	unread("startTime finishTime"), // on a page of 2020, in a form that it does not tell
)

var dataFields = join(addressFields, texts("docType"), unread(`
	docFirstName docLastName docNumber docPersonalCode docExpiry docDob docDateOfIssue docSex docNationality docIssuingCountry
	selectedCountry birthPlace authority address docTemporaryAddress mothersMaidenName docBirthName docPatronymic
	driverLicenseCategory manuallyDataChanged fullName orgFirstName orgLastName orgNationality orgBirthPlace orgAuthority
	orgAddress orgTemporaryAddress orgMothersMaidenName orgPatronymic orgBirthName ageEstimate clientIpProxyRiskLevel
	duplicateFaces duplicateDocFaces additionalData`))

var licenceFields = join(
	booleans(`
		nameMatch surnameMatch dateOfBirthMatch dateOfIssueMatch dateOfExpiryMatch documentNumberMatch document_numberMatch
		genderMatch`),
	unread("name surname dateOfBirth state gender dateOfIssue dateOfExpiry documentNumber"),
)

var (
	bankFields = join(ids("id"), texts("riskLevel"), unread("country bank accounts"))
	cardFields = join(ids("id"), texts("status noMatchReason"), unread("name firstSix lastFour expiryDate nameMatch lastFourMatch"))
)

var identificationFields = join(
	addressFields, booleans("final gdcMatch"), texts("platform"),
	ids("scanRef clientId externalRef companyId beneficiaryId finishTime"),
	objects("status", statusFields), objects("data", dataFields),
	table(serviceResults, "AML LID CRIMINAL_CHECK"), table(serviceResult, "aml lid"), // the latter up to 2020
	objects("amlCheck", screeningFields), objects("aml_check", screeningFields).Inferred(),
	objects("riskAssessment", ids("riskScore"), texts("riskLevel")),
	objects("emailVerification", booleans("emailVerified"), unread("email")),
	objects("phoneVerification", booleans("phoneVerified"), unread("phone")),
	objects("driverLicenseCheck", licenceFields), objects("bankVerification", bankFields), objects("bankCardVerification", cardFields),
	unread(`
		startTime fileUrls additionalStepPdfUrls additionalSteps additionalData clientIp clientIpCountry clientLocation utilityData
		questionnaireAnswers`),
	// Beside the same in data, in the deliveries of 2021 that an integrator kept:
	unread(`
		utility_data files personScanRef identificationStatus suspicionReason documentIssuingCountry document_issuing_country
		idFirstName idLastName idPersonalCode idNumber idType idExpiry idDob idSex idNationality`),
)

// partyIDs are read wherever a verification is the subject.
var partyIDs = ids("companyId beneficiaryId").Inferred()

var monitoringFields = join(
	ids("monitoringId companyId beneficiaryId"), booleans("isActive"),
	texts("alertStatus alert_status status pepsStatus sanctionsStatus adverseMediaStatus expiration status_set_at"),
	table(providers.ListField(providers.IDField).Or(providers.TextField), "scanRefList"), // one page shows an empty list as a text
	table(serviceResults, "results"), objects("amlCheck aml_check", screeningFields),
	unread("name surname nationality dob comments status_set_by"),
	ids("monitoring_id clientId").Inferred(), booleans("is_active").Inferred(),
)

var noticeFields = ids("usersToExtend usersToExpire")

var documentExpirationFields = join(ids("scanRef clientId"), texts("expirationThreshold documentExpiration"), partyIDs)

var faceFields = join(
	ids("id scanRef clientId token"), texts("status type method"), lists("riskTags", providers.TextField),
	unread("facePhoto ipAddress failReason"),
)

var ageFields = join(ids("scanRef clientId"), texts("status outcome verdict occurredAt"), unread("estimatedAge confidence"), partyIDs)

var accountFields = join(
	ids("scanRef clientId status score"), texts("date"), unread("authToken facebookScore gmailScore ipScore"), partyIDs,
)

// videoCallFields: the vendor documents no body, so whatever is in one is drift.
var videoCallFields = join(ids("scanRef id companyId clientId"), texts("status")).Inferred()

var (
	bankVerificationFields = join(bankFields, ids("clientId scanRef").Inferred())
	bankCardFields         = join(cardFields, ids("clientId scanRef").Inferred())
)

var sosFields = join(
	ids("id watchlistHitsCount"), texts("status entityType"), unread("companyName formationDate reportFile dataFile"),
	ids("clientId scanRef").Inferred(),
)

var companySubmitFields = join(ids("id clientId externalRef"), texts("submissionTime"), booleans("soleProprietor"))

// reviewedFields are those that the review of a company and of a beneficiary share.
var reviewedFields = join(
	ids("id"), texts("sanctionsCheckStatus negativeNewsStatus"),
	objects("amlCheck", screeningFields), objects("aml_check", screeningFields).Inferred(),
	unread("amlComment negativeNewsComment sanctionsStatusSetBy newsStatusSetBy"),
)

var beneficiaryFields = join(
	reviewedFields, texts("pepsCheckStatus"), table(serviceResult, "beneficiaryCheck negativeNewsCheck"),
	table(serviceResult, "companyCheck").Inferred(),
	unread("pepsStatusSetBy pepsStatusSetAt sanctionsStatusSetAt newsStatusSetAt scanRef"),
)

var companyReviewFields = join(
	reviewedFields, ids("clientId externalRef"), ids("companyId").Inferred(), texts("pepsCheckStatus").Inferred(),
	texts("approvalStatus sanctionsStatusSetAt newsStatusSetAt"), booleans("soleProprietor"),
	table(serviceResult, "companyCheck"), table(serviceResults, "negativeNewsCheck"), table(serviceResult, "beneficiaryCheck").Inferred(),
	table(providers.ObjectField(nil), "statusChangedBy"), lists("relatedClientScanRefs", providers.IDField),
	lists("beneficiaries", providers.ObjectField(beneficiaryFields)),
	unread("companyName registrationNumber denyReason shareholderCheck"),
)

var amlReviewFields = join(
	ids("id companyId clientId externalRef"), texts("amlReviewSubjectType overallStatus statusSetAt"),
	texts("negativeNewsStatus newsStatusSetAt pepsCheckStatus pepsStatusSetAt sanctionsCheckStatus sanctionsStatusSetAt"),
	unread("negativeNewsComment amlComment statusSetBy newsStatusSetBy pepsStatusSetBy sanctionsStatusSetBy"),
)

var (
	companyExpirationFields = join(ids("id"), texts("expirationStatus"), ids("companyId clientId").Inferred())
	infoRequestFields       = join(ids("companyId token"), texts("date status"), unread("email manager"), ids("clientId").Inferred())
	companyDeleteFields     = join(ids("companyId"), texts("date"), unread("manager"), ids("id clientId").Inferred())
	govDocumentFields       = join(
		ids("id"), texts("status deliveredAt productKey documentFormat"), unread("title expectedDeliveryTime price file"),
		ids("clientId").Inferred(),
	)
)
