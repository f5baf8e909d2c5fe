package e2e

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// exportProto writes the contract's sources to a folder, as a consumer begins.
func exportProto(t *testing.T, dir string) {
	t.Helper()
	if _, errs, code := commandOf(t, binary, nil, "schema", "export", "--proto", dir); code != 0 {
		t.Fatal(errs)
	}
}

// contractOf is the contract's own files, by their path.
func contractOf(t *testing.T) map[string]protoreflect.FileDescriptor {
	t.Helper()
	files, err := protodesc.NewFiles(schemas.DescriptorSet())
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]protoreflect.FileDescriptor{}
	files.RangeFilesByPackage("kyc.v1", func(file protoreflect.FileDescriptor) bool {
		ours[file.Path()] = file
		return true
	})
	return ours
}

// enumsOf are the words of each enum, by its full name.
func enumsOf(files map[string]protoreflect.FileDescriptor, spell func(enum, word string) string) map[string][]string {
	enums := map[string][]string{}
	for _, file := range files {
		for i := range file.Enums().Len() {
			e := file.Enums().Get(i)
			for j := range e.Values().Len() {
				enums[string(e.FullName())] = append(enums[string(e.FullName())], spell(string(e.Name()), string(e.Values().Get(j).Name())))
			}
		}
	}
	return enums
}

var humps = regexp.MustCompile(`([a-z])([A-Z])`)

// bare is a word of an enum without the enum's name: APPROVED of DECISION_APPROVED.
func bare(enum, word string) string {
	return strings.TrimPrefix(word, strings.ToUpper(humps.ReplaceAllString(enum, "${1}_$2"))+"_")
}

// pascal is a word as C# has it: NotChecked of AML_STATUS_NOT_CHECKED.
func pascal(enum, word string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(bare(enum, word), "_") {
		out.WriteString(part[:1] + strings.ToLower(part[1:]))
	}
	return out.String()
}

// newer is an event with a word that the contract does not have yet, and an offset that no double holds.
func newer(t *testing.T) string {
	t.Helper()
	event := sampleSession()
	event.Decision, event.Metadata.Raw.Offset = kycv1.Decision(99), 1<<53+1
	value, err := proto.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(value)
}

// checkNames reads what names.js or names.py printed.
func checkNames(t *testing.T, printed string, enums map[string][]string) {
	t.Helper()
	var got struct {
		Enums map[string][]string `json:"enums"`
		Read  map[string]any      `json:"read"`
	}
	if err := json.Unmarshal([]byte(printed), &got); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	for name, words := range enums {
		if !slices.Equal(got.Enums[name], words) {
			t.Errorf("%s has the words %q, want %q", name, got.Enums[name], words)
		}
	}
	if len(got.Enums) != len(enums) {
		t.Errorf("there are %d enums, want %d", len(got.Enums), len(enums))
	}
	want := map[string]any{"id": sampleSession().Metadata.EventId, "offset": "9007199254740993", "started": true, "word": "99"}
	if !maps.Equal(got.Read, want) {
		t.Errorf("the event was read as %v, want %v", got.Read, want)
	}
}

// offline is an environment in which nothing can be fetched, and nothing was before.
func offline(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	const nowhere = "http://127.0.0.1:1"
	return []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "HTTPS_PROXY=" + nowhere, "HTTP_PROXY=" + nowhere, "NO_PROXY="}
}

// buf is the program of make/proto.mk.
func buf(t *testing.T) string {
	t.Helper()
	root := foreign.Root(t)
	rules, err := os.ReadFile(filepath.Join(root, "make/proto.mk"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`buf-v[0-9.]+`).Find(rules)
	path := filepath.Join(root, ".bin", string(name))
	foreign.Run(t, root, nil, "make", "-s", path)
	return path
}

// Maven's plugin makes Java of the folder as it is: a file for each message and enum, in the package of the
// contract, and names that do not meet. C# has its namespace, and words without the enum's name.
func TestForeignProtoMaven(t *testing.T) {
	foreign.Need(t, "java", "mvn")
	dir := t.TempDir()
	foreign.Copy(t, "foreign/proto/maven", dir)
	exportProto(t, filepath.Join(dir, "proto"))
	foreign.Run(t, dir, nil, "mvn", "-q", "-B", "generate-sources")
	files := contractOf(t)
	checkJava(t, files, filepath.Join(dir, "target/generated-sources/protobuf/java/com/kycbridge/kyc/v1"))
	checkCSharp(t, files, filepath.Join(dir, "target/generated-sources/protobuf/csharp"))
}

func checkJava(t *testing.T, files map[string]protoreflect.FileDescriptor, dir string) {
	t.Helper()
	var want []string
	for path, file := range files {
		words := strings.Split(strings.TrimSuffix(filepath.Base(path), ".proto"), "_")
		for i, word := range words {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
		want = append(want, strings.Join(words, "")+"Proto.java")
		for i := range file.Messages().Len() {
			name := string(file.Messages().Get(i).Name())
			want = append(want, name+".java", name+"OrBuilder.java")
		}
		for i := range file.Enums().Len() {
			want = append(want, string(file.Enums().Get(i).Name())+".java")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("Java has the files\n%q\nwant\n%q", got, want)
	}
}

var (
	csharpEnum  = regexp.MustCompile(`(?s)public enum (\w+) \{(.*?)\n  \}`)
	csharpWord  = regexp.MustCompile(`OriginalName\("\w+"\)\] (\w+) = \d+`)
	csharpSpace = regexp.MustCompile(`(?m)^namespace (\S+) \{`)
)

func checkCSharp(t *testing.T, files map[string]protoreflect.FileDescriptor, dir string) {
	t.Helper()
	got := map[string][]string{}
	for path := range files {
		var name strings.Builder
		for word := range strings.SplitSeq(strings.TrimSuffix(filepath.Base(path), ".proto"), "_") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		text, err := os.ReadFile(filepath.Join(dir, name.String()+".cs"))
		if err != nil {
			t.Error(err)
		}
		if space := csharpSpace.FindSubmatch(text); space == nil || string(space[1]) != "Kycbridge.Kyc.V1" {
			t.Errorf("%s.cs has the namespace %q, want Kycbridge.Kyc.V1", name.String(), space)
		}
		for _, enum := range csharpEnum.FindAllSubmatch(text, -1) {
			for _, word := range csharpWord.FindAllSubmatch(enum[2], -1) {
				got["kyc.v1."+string(enum[1])] = append(got["kyc.v1."+string(enum[1])], string(word[1]))
			}
		}
	}
	if want := enumsOf(files, pascal); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("C# has the enums\n%v\nwant\n%v", got, want)
	}
}

// Gradle's plugin is tried where there is a Gradle: none can be installed in a minute. What is tried is Debian's
// 4.4.1 with the last plugin for it; later ones take the same sourceSets.
func TestForeignProtoGradle(t *testing.T) {
	foreign.Need(t, "java")
	if _, err := exec.LookPath("gradle"); err != nil {
		t.Skip("there is no gradle on this machine; apt-get install gradle takes minutes")
	}
	dir := t.TempDir()
	foreign.Copy(t, "foreign/proto/gradle", dir)
	exportProto(t, filepath.Join(dir, "proto"))
	foreign.Run(t, dir, nil, "gradle", "--no-daemon", "-q", "generateProto")
	checkJava(t, contractOf(t), filepath.Join(dir, "build/generated/source/proto/main/java/com/kycbridge/kyc/v1"))
}

// protoc makes Python of the folder, which reads an event of a newer contract.
func TestForeignProtoPython(t *testing.T) {
	python := foreign.Python(t, "foreign/proto/python/requirements.txt")
	dir := t.TempDir()
	exportProto(t, filepath.Join(dir, "proto"))
	files := contractOf(t)
	command := []string{python, "-m", "grpc_tools.protoc", "-I", "proto", "--python_out=gen", "--pyi_out=gen", "buf/validate/validate.proto"}
	if err := os.Mkdir(filepath.Join(dir, "gen"), 0o755); err != nil {
		t.Fatal(err)
	}
	foreign.Run(t, dir, offline(t), append(command, slices.Sorted(maps.Keys(files))...)...)
	names, err := filepath.Abs("foreign/proto/python/names.py")
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, foreign.Run(t, dir, nil, python, names, "gen", newer(t)), enumsOf(files, func(_, word string) string { return word }))
}

// buf takes the folder with and without a buf.yaml, without its registry, and says the same as protoc.
func TestForeignProtoBuf(t *testing.T) {
	foreign.Need(t)
	command, dir, env := buf(t), t.TempDir(), offline(t)
	exportProto(t, filepath.Join(dir, "proto"))
	foreign.Run(t, dir, env, command, "build", "proto", "--as-file-descriptor-set", "-o", "bare.binpb")
	checkBuilt(t, filepath.Join(dir, "bare.binpb"))
	if err := os.WriteFile(filepath.Join(dir, "buf.yaml"), []byte("version: v2\nmodules:\n  - path: proto\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign.Run(t, dir, env, command, "build", "--as-file-descriptor-set", "-o", "module.binpb")
	checkBuilt(t, filepath.Join(dir, "module.binpb"))
}

// checkBuilt compares the descriptors that another compiler made with those that the program exports, comments
// included.
func checkBuilt(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var built descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &built); err != nil {
		t.Fatal(err)
	}
	files := map[string]*descriptorpb.FileDescriptorProto{}
	for _, file := range built.File {
		files[file.GetName()] = file
	}
	for _, want := range schemas.DescriptorSet().File {
		if strings.HasPrefix(want.GetName(), "kyc/") && !proto.Equal(files[want.GetName()], want) {
			t.Errorf("%s: %s is another than the program exports, or missing", filepath.Base(path), want.GetName())
		}
	}
}

// buf generate makes TypeScript of the folder, with enums without their prefix, which reads an event of a newer contract.
func TestForeignProtoTypeScript(t *testing.T) {
	dir := foreign.Node(t, "foreign/proto/typescript")
	sources := filepath.Join(t.TempDir(), "proto")
	exportProto(t, sources)
	foreign.Run(t, dir, offline(t), buf(t), "generate", sources)
	checkNames(t, foreign.Run(t, dir, nil, "node", "names.js", newer(t)), enumsOf(contractOf(t), bare))
}
