/* A program in C that marshals and unmarshals, as generated code does: with
 * names that no header has. Status 0 when every value came back. */
#include <event2/buffer.h>
#include <event2/tag.h>
#include <stdlib.h>
#include <string.h>

int evtag_encode_tag(struct evbuffer *evbuf, ev_uint32_t tag);
int evtag_decode_tag(ev_uint32_t *ptag, struct evbuffer *evbuf);
int evtag_decode_int(ev_uint32_t *pnumber, struct evbuffer *evbuf);

int main(void) {
  static const unsigned char wire[] = {0x05, 0x03, 0x34, 0x32, 0x10};
  struct evbuffer *buf = evbuffer_new(), *nested = evbuffer_new();
  ev_uint32_t number, tag;
  char *text = NULL;
  int i;
  if (buf == NULL || nested == NULL) return 1;
  evtag_init();
  evtag_marshal_int(buf, 5, 0x1234);
  if (evbuffer_get_length(buf) != sizeof(wire)) return 2;
  if (memcmp(evbuffer_pullup(buf, -1), wire, sizeof(wire)) != 0) return 3;
  if (evtag_unmarshal_int(buf, 5, &number) != 3 || number != 0x1234) return 4;
  /* Segments go from one library's hands to the other's and back. */
  for (i = 0; i < 1000; i++) {
    evtag_marshal_string(nested, 7, "a string that is moved");
    evtag_marshal_buffer(buf, 300, nested);
    if (evbuffer_get_length(nested) != 0) return 5;
    if (evtag_unmarshal(buf, &tag, nested) < 0 || tag != 300) return 6;
    if (evtag_unmarshal_string(nested, 7, &text) != 0) return 7;
    if (strcmp(text, "a string that is moved") != 0) return 8;
    free(text);
  }
  if (evtag_encode_tag(buf, 300) != 2) return 9;
  evtag_encode_int(buf, 77);
  if (evtag_decode_tag(&tag, buf) != 2 || tag != 300) return 10;
  if (evtag_decode_int(&number, buf) != 0 || number != 77) return 11;
  if (evbuffer_get_length(buf) != 0) return 12;
  evbuffer_free(buf);
  evbuffer_free(nested);
  return 0;
}
