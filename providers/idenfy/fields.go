package idenfy

import (
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
	return table(providers.ObjectField(providers.Join(members...)), names)
}

func lists(names string, item providers.Field) providers.Fields {
	return table(providers.ListField(item), names)
}

// serviceResult is an item of AML, LID, CRIMINAL_CHECK and results. Its entries are
// persons, companies and articles on lists, documents, offences, and risks of companies.
var serviceResult = providers.ObjectField(providers.Join(
	texts("serviceName"), unread("serviceGroupType uid errorMessage"),
	objects("status", booleans("serviceSuspected serviceUsed checkSuccessful"), unread("serviceFound"), texts("overallStatus")),
	lists("data", providers.ObjectField(providers.Join(
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
var screeningFields = providers.Join(
	ids("id"), texts("overallStatus statusSetAt"), unread("statusSetBy userType"),
	lists("adverseMedia", providers.ObjectField(providers.Join(
		texts("url"), unread("title text score type publishDate checkDate status comment"),
	))),
	lists("amlCheck", providers.ObjectField(providers.Join(
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
var addressFields = providers.Join(
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

var statusFields = providers.Join(
	texts("overall autoFace manualFace autoDocument manualDocument additionalSteps"),
	texts("amlResultClass pepsStatus sanctionsStatus adverseMediaStatus"),
	lists("suspicionReasons denyReasons fraudTags mismatchTags", providers.TextField),
	unread("startTime finishTime"), // on a page of 2020, in a form that it does not tell
)

var dataFields = providers.Join(addressFields, texts("docType"), unread(`
	docFirstName docLastName docNumber docPersonalCode docExpiry docDob docDateOfIssue docSex docNationality docIssuingCountry
	selectedCountry birthPlace authority address docTemporaryAddress mothersMaidenName docBirthName docPatronymic
	driverLicenseCategory manuallyDataChanged fullName orgFirstName orgLastName orgNationality orgBirthPlace orgAuthority
	orgAddress orgTemporaryAddress orgMothersMaidenName orgPatronymic orgBirthName ageEstimate clientIpProxyRiskLevel
	duplicateFaces duplicateDocFaces additionalData`))

var licenceFields = providers.Join(
	booleans(`
		nameMatch surnameMatch dateOfBirthMatch dateOfIssueMatch dateOfExpiryMatch documentNumberMatch document_numberMatch
		genderMatch`),
	unread("name surname dateOfBirth state gender dateOfIssue dateOfExpiry documentNumber"),
)

var (
	bankFields = providers.Join(ids("id"), texts("riskLevel"), unread("country bank accounts"))
	cardFields = providers.Join(ids("id"), texts("status noMatchReason"), unread("name firstSix lastFour expiryDate nameMatch lastFourMatch"))
)

var identificationFields = providers.Join(
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

var monitoringFields = providers.Join(
	ids("monitoringId companyId beneficiaryId"), booleans("isActive"),
	texts("alertStatus alert_status status pepsStatus sanctionsStatus adverseMediaStatus expiration status_set_at"),
	table(providers.ListField(providers.IDField).Or(providers.TextField), "scanRefList"), // one page shows an empty list as a text
	table(serviceResults, "results"), objects("amlCheck aml_check", screeningFields),
	unread("name surname nationality dob comments status_set_by"),
	ids("monitoring_id clientId").Inferred(), booleans("is_active").Inferred(),
)

var noticeFields = ids("usersToExtend usersToExpire")

var documentExpirationFields = providers.Join(ids("scanRef clientId"), texts("expirationThreshold documentExpiration"), partyIDs)

var faceFields = providers.Join(
	ids("id scanRef clientId token"), texts("status type method"), lists("riskTags", providers.TextField),
	unread("facePhoto ipAddress failReason"),
)

var ageFields = providers.Join(ids("scanRef clientId"), texts("status outcome verdict occurredAt"), unread("estimatedAge confidence"), partyIDs)

var accountFields = providers.Join(
	ids("scanRef clientId status score"), texts("date"), unread("authToken facebookScore gmailScore ipScore"), partyIDs,
)

// videoCallFields: the vendor documents no body, so whatever is in one is drift.
var videoCallFields = providers.Join(ids("scanRef id companyId clientId"), texts("status")).Inferred()

var (
	bankVerificationFields = providers.Join(bankFields, ids("clientId scanRef").Inferred())
	bankCardFields         = providers.Join(cardFields, ids("clientId scanRef").Inferred())
)

var sosFields = providers.Join(
	ids("id watchlistHitsCount"), texts("status entityType"), unread("companyName formationDate reportFile dataFile"),
	ids("clientId scanRef").Inferred(),
)

var companySubmitFields = providers.Join(ids("id clientId externalRef"), texts("submissionTime"), booleans("soleProprietor"))

// reviewedFields are those that the review of a company and of a beneficiary share.
var reviewedFields = providers.Join(
	ids("id"), texts("sanctionsCheckStatus negativeNewsStatus"),
	objects("amlCheck", screeningFields), objects("aml_check", screeningFields).Inferred(),
	unread("amlComment negativeNewsComment sanctionsStatusSetBy newsStatusSetBy"),
)

var beneficiaryFields = providers.Join(
	reviewedFields, texts("pepsCheckStatus"), table(serviceResult, "beneficiaryCheck negativeNewsCheck"),
	table(serviceResult, "companyCheck").Inferred(),
	unread("pepsStatusSetBy pepsStatusSetAt sanctionsStatusSetAt newsStatusSetAt scanRef"),
)

var companyReviewFields = providers.Join(
	reviewedFields, ids("clientId externalRef"), ids("companyId").Inferred(), texts("pepsCheckStatus").Inferred(),
	texts("approvalStatus sanctionsStatusSetAt newsStatusSetAt"), booleans("soleProprietor"),
	table(serviceResult, "companyCheck"), table(serviceResults, "negativeNewsCheck"), table(serviceResult, "beneficiaryCheck").Inferred(),
	table(providers.ObjectField(nil), "statusChangedBy"), lists("relatedClientScanRefs", providers.IDField),
	lists("beneficiaries", providers.ObjectField(beneficiaryFields)),
	unread("companyName registrationNumber denyReason shareholderCheck"),
)

var amlReviewFields = providers.Join(
	ids("id companyId clientId externalRef"), texts("amlReviewSubjectType overallStatus statusSetAt"),
	texts("negativeNewsStatus newsStatusSetAt pepsCheckStatus pepsStatusSetAt sanctionsCheckStatus sanctionsStatusSetAt"),
	unread("negativeNewsComment amlComment statusSetBy newsStatusSetBy pepsStatusSetBy sanctionsStatusSetBy"),
)

var (
	companyExpirationFields = providers.Join(ids("id"), texts("expirationStatus"), ids("companyId clientId").Inferred())
	infoRequestFields       = providers.Join(ids("companyId token"), texts("date status"), unread("email manager"), ids("clientId").Inferred())
	companyDeleteFields     = providers.Join(ids("companyId"), texts("date"), unread("manager"), ids("id clientId").Inferred())
	govDocumentFields       = providers.Join(
		ids("id"), texts("status deliveredAt productKey documentFormat"), unread("title expectedDeliveryTime price file"),
		ids("clientId").Inferred(),
	)
)
