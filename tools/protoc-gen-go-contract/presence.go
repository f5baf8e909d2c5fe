package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A field of x as it stands in the generated struct.

// isPointer reports whether a field that has a value is a pointer to it.
func isPointer(d protoreflect.FieldDescriptor) bool {
	return d.HasPresence() && d.Message() == nil && d.Kind() != protoreflect.BytesKind
}

// valueOf reads a field that is set.
func valueOf(f *protogen.Field) string {
	if isPointer(f.Desc) {
		return "*x." + f.GoName
	}
	return "x." + f.GoName
}

// presence is a condition for what reflection calls Has, and its opposite.
func presence(f *protogen.Field) (set, unset code) {
	v := "x." + f.GoName
	switch d := f.Desc; {
	case d.HasPresence():
		return code{v, " != nil"}, code{v, " == nil"}
	case d.IsList(), d.IsMap(), d.Kind() == protoreflect.BytesKind:
		return code{"len(", v, ") > 0"}, code{"len(", v, ") == 0"}
	case d.Kind() == protoreflect.StringKind:
		return code{v, ` != ""`}, code{v, ` == ""`}
	case d.Kind() == protoreflect.BoolKind:
		return code{v}, code{"!", v}
	}
	return code{v, " != 0"}, code{v, " == 0"}
}
