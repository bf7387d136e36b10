-- SPDX-License-Identifier: BSD-3-Clause
--
-- Wireshark dissectors for the protocols of multicast address allocation:
--
--   madcap  MADCAP, RFC 2730 and RFC 2907, UDP port 2535
--   aap     AAP, draft-ietf-malloc-aap-04, UDP port 2878
--   masc    MASC, RFC 2909, TCP port 2587
--   mzap    MZAP, RFC 2776, UDP port 2106
--   xcast   Explicit Multicast, RFC 5058: xcast4 by IPv4 protocol, xcast6 by
--           Routing Type; IANA has assigned neither, so they are preferences
--
-- For Wireshark 3.6 and later, so for Lua 5.2 to 5.4: no operators on bits, and
-- nothing else that only some of these have.
--
-- The first part of the file knows no protocol. A protocol is a table of fields
-- and a function that reads a message front to back with a Part, which checks
-- every length: what does not fit ends in an expert note.

---------------------------------------------------------------- fields, experts

-- The kinds of fields that a row of a table can name: type, octets, base. TIME is seconds since
-- 1970, SECONDS and SECONDS16 are durations; ADDR is two fields, for IPv4 and,
-- with a 6 after the name, for IPv6.
local kinds = {
  NONE = { ftypes.NONE, nil, base.NONE }, BYTES = { ftypes.BYTES, nil, base.NONE }, STRING = { ftypes.STRING, nil, base.NONE },
  BOOL = { ftypes.BOOLEAN, 1 },
  UINT8 = { ftypes.UINT8, 1 }, UINT16 = { ftypes.UINT16, 2 }, UINT24 = { ftypes.UINT24, 3 }, UINT32 = { ftypes.UINT32, 4 },
  SECONDS = { ftypes.UINT32, 4 }, SECONDS16 = { ftypes.UINT16, 2 }, TIME = { ftypes.ABSOLUTE_TIME, 4, base.UTC },
  IPV4 = { ftypes.IPv4, 4, base.NONE }, IPV6 = { ftypes.IPv6, 16, base.NONE },
}

-- The notes every protocol has: group, severity, summary.
local notes = {
  cut = { expert.group.MALFORMED, expert.severity.ERROR, "The message ends too early" },
  length = { expert.group.MALFORMED, expert.severity.ERROR, "A length does not add up" },
  value = { expert.group.PROTOCOL, expert.severity.WARN, "A value that the protocol does not allow" },
  checksum = { expert.group.CHECKSUM, expert.severity.ERROR, "Wrong checksum" },
  inside = { expert.group.MALFORMED, expert.severity.ERROR, "What the message carries is malformed" },
  unknown = { expert.group.UNDECODED, expert.severity.NOTE, "Something this dissector does not know" },
  refused = { expert.group.RESPONSE_CODE, expert.severity.NOTE, "A refusal or an error report" },
}

-- mask_parts returns the place of the lowest bit of a mask and the number of
-- values that the mask can hold.
local function mask_parts(mask)
  local low = 1
  while mask % (low * 2) == 0 do low = low * 2 end
  return low, math.floor(mask / low) + 1
end

-- protocol makes a Proto, with a field for each row { name, label, kind, base
-- (or values), values, mask } and the notes as <abbr>.note.<name>.
local function protocol(abbr, title, rows)
  local p = { proto = Proto(abbr, title), fields = {}, notes = {} }
  local all, experts = {}, {}
  local function field(name, label, kind, shown, values, mask)
    local k = kinds[kind]
    local f = ProtoField.new(label, abbr .. "." .. name, k[1], values, shown or k[3] or base.DEC, mask)
    local low, span
    if mask then low, span = mask_parts(mask) end
    p.fields[name] = { field = f, kind = kind, size = k[2], low = low, span = span }
    all[#all + 1] = f
  end
  for _, row in ipairs(rows) do
    local name, label, kind, shown, values, mask = row[1], row[2], row[3], row[4], row[5], row[6]
    if kind == "ADDR" then
      field(name, label, "IPV4")
      field(name .. "6", label, "IPV6")
    else
      if kind == "BOOL" then shown = mask and 8 or base.NONE end
      field(name, label, kind, shown, values, mask)
    end
  end
  for name, n in pairs(notes) do
    local e = ProtoExpert.new(abbr .. ".note." .. name, n[3], n[1], n[2])
    p.notes[name] = e
    experts[#experts + 1] = e
  end
  p.proto.fields = all
  p.proto.experts = experts
  return p
end

----------------------------------------------------------------- values in words

local function name_of(names, n) return names[n] or string.format("Unknown (%d)", n) end

-- plural returns "1 octet" or "n octets".
local function plural(n, one, many) return string.format("%d %s", n, n == 1 and one or many or one .. "s") end

-- duration puts seconds in words, such as "2 d 1 h".
local function duration(seconds)
  local words, units = {}, { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } }
  for _, u in ipairs(units) do
    local n = math.floor(seconds / u[1])
    if n > 0 then words[#words + 1] = string.format("%d %s", n, u[2]) end
    seconds = seconds % u[1]
  end
  return #words > 0 and table.concat(words, " ") or "0 s"
end

local function moment(seconds) return os.date("!%Y-%m-%d %H:%M:%S", seconds) .. " UTC" end

-- address reads 4 or 16 octets. The key orders addresses of one family.
local function address(range)
  local top = range(0, 1):uint()
  return {
    text = tostring(range:len() == 4 and range:ipv4() or range:ipv6()),
    key = tostring(range:bytes()),
    group = range:len() == 4 and math.floor(top / 16) == 14 or range:len() == 16 and top == 255,
    zero = not tostring(range:bytes()):find("[^0]"),
  }
end

-------------------------------------------------------------------------- parts

-- A Part is a stretch of a message that is read front to back into a tree item.
local Part = {}
Part.__index = Part

-- CUT is what ends the reading of a part; the note is in the tree by then.
local CUT = {}

local function new_part(p, tvb, tree, from, stop)
  return setmetatable({ p = p, tvb = tvb, tree = tree, at = from, stop = stop }, Part)
end

function Part:left() return self.stop - self.at end

-- note adds an expert note to the part, or to an item of it.
function Part:note(kind, text, item) (item or self.tree):add_proto_expert_info(self.p.notes[kind], text) end

function Part:give_up(kind, text)
  self:note(kind, text)
  error(CUT, 0)
end

-- take returns the next n octets.
function Part:take(n)
  if n > self:left() then
    self:give_up("cut", string.format("%s expected, %d left", plural(n, "octet"), math.max(self:left(), 0)))
  end
  self.at = self.at + n
  return self.tvb(self.at - n, n)
end

-- try runs read(part, ...) and returns whether it came to the end of it.
function Part:try(read, ...)
  local ok, err = pcall(read, self, ...)
  if not ok and err ~= CUT then error(err, 0) end
  return ok
end

-- put adds a field over a range and returns its value, if it is a number or an
-- address, and its item.
function Part:put(name, range)
  local f = self.p.fields[name]
  local item, value = self.tree:add(f.field, range), nil
  if f.kind == "IPV4" or f.kind == "IPV6" then
    value = address(range)
  elseif f.size then
    value = range:uint()
    if f.low then value = math.floor(value / f.low) % f.span end
    if f.kind == "SECONDS" or f.kind == "SECONDS16" then item:append_text(" s (" .. duration(value) .. ")") end
  end
  return value, item
end

-- add reads a field; n is needed for octets and strings only.
function Part:add(name, n) return self:put(name, self:take(n or self.p.fields[name].size)) end

-- bits reads fields that share the same octets and returns their values.
function Part:bits(...)
  local names, values = { ... }, {}
  local range = self:take(self.p.fields[names[1]].size)
  for i, name in ipairs(names) do values[i] = self:put(name, range) end
  return (table.unpack or unpack)(values)
end

-- addr reads an address of 4 or 16 octets.
function Part:addr(name, width) return self:add(width == 4 and name or name .. "6", width) end

-- group reads an address that must be multicast.
function Part:group(name, width)
  local a, item = self:addr(name, width)
  if not a.group then self:note("value", a.text .. " is not a multicast address", item) end
  return a, item
end

-- pair reads the first and the last address of a range.
function Part:pair(first, last, width)
  local a = self:group(first, width)
  local b, item = self:group(last, width)
  if b.key < a.key then self:note("value", "The range ends before it begins", item) end
  return a, b
end

-- text reads n octets of UTF-8; none at all has no place in the packet.
function Part:text(name, n)
  local range = self:take(n)
  self.tree:add_packet_field(self.p.fields[name].field, range, ENC_UTF_8)
  return n > 0 and range:string(ENC_UTF_8) or ""
end

-- say adds a field that follows from others.
function Part:say(name, value, range)
  local item
  if range then
    item = self.tree:add(self.p.fields[name].field, range, value)
  else
    item = self.tree:add(self.p.fields[name].field, value)
  end
  return item:set_generated()
end

-- sub returns the part of the next n octets, with an item of its own.
function Part:sub(name, n, label)
  local from = self.at
  local item = self.tree:add(self.p.fields[name].field, self:take(n))
  if label then item:set_text(label) end
  return new_part(self.p, self.tvb, item, from, from + n)
end

-- open returns a part of all that is left; close ends it where it was read to.
function Part:open(name, label)
  local item = self.tree:add(self.p.fields[name].field, self.tvb(self.at, self:left()))
  item:set_text(label)
  return new_part(self.p, self.tvb, item, self.at, self.stop)
end

function Part:close(child)
  child.tree:set_len(child.at - self.at)
  self.at = child.at
end

-- each reads count elements, each into an item of its own, called name; read
-- gets the element's part and returns what the item should say.
function Part:each(name, count, label, read, ...)
  for i = 0, count - 1 do
    local element = self:open(name, string.format("%s %d", label, i))
    local ok, err = pcall(read, element, ...)
    if ok and err then element.tree:append_text(": " .. err) end
    self:close(element)
    if not ok then error(err, 0) end
  end
end

-- finish notes what nobody has read.
function Part:finish(what)
  if self:left() > 0 then
    self:note("length", string.format("%s after %s", plural(self:left(), "octet"), what))
    self.at = self.stop
  end
end

-- message runs a reader over a whole datagram and shows what it returns as the
-- packet's line.
local function message(p, tvb, pinfo, tree, title, read)
  local item = tree:add(p.proto, tvb())
  local part = new_part(p, tvb, item, 0, tvb:len())
  part.info = {}
  pinfo.cols.protocol = title
  if part:try(read) then part:finish("the message") else part.info[#part.info + 1] = "[malformed]" end
  local line = table.concat(part.info, " ")
  item:append_text(", " .. line)
  return line
end

-- tell adds to the line of the packet.
function Part:tell(...) self.info[#self.info + 1] = string.format(...) end

-- datagrams makes a protocol over UDP out of a reader.
local function datagrams(p, port, title, read)
  function p.proto.dissector(tvb, pinfo, tree)
    pinfo.cols.info = message(p, tvb, pinfo, tree, title, read)
    return tvb:len()
  end
  DissectorTable.get("udp.port"):add(port, p.proto)
end

local families = { [1] = "IPv4", [2] = "IPv6" }
local widths = { [1] = 4, [2] = 16 }

------------------------------------------------------------------------- MADCAP

do
  local types = {
    "DISCOVER", "OFFER", "REQUEST", "RENEW", "ACK", "NAK", "RELEASE", "GETINFO",
  }
  local option_names = {
    [0] = "End", "Lease Time", "Server Identifier", "Lease Identifier", "Multicast Scope", "Option Request List",
    "Start Time", "Number of Addresses Requested", "Requested Language", "Multicast Scope List",
    "List of Address Ranges", "Current Time", "Feature List", "Retry Time", "Minimum Lease Time",
    "Maximum Start Time", "Error", "Multicast Scope Nesting State",
    [65535] = "no particular option",
  }
  local features = { [0] = "Server Mobility", "Retry After", "Shared Lease Identifier" }
  local errors = {
    [0] = "Valid Request Could Not Be Completed", "Invalid Request", "Excessive Clock Skew",
    "Lease Identifier Not Recognized", "Required Feature Not Supported",
  }
  local p = protocol("madcap", "Multicast Address Dynamic Client Allocation Protocol", {
    { "version", "Version", "UINT8" },
    { "type", "Message Type", "UINT8", nil, types },
    { "family", "Address Family", "UINT16", nil, families },
    { "xid", "Transaction ID", "UINT32", base.HEX },
    { "option", "Option", "NONE" },
    { "option.code", "Code", "UINT16", nil, option_names },
    { "option.length", "Length", "UINT16" },
    { "option.data", "Data", "BYTES" },
    { "lease_time", "Lease Time", "SECONDS" },
    { "server.family", "Server Address Family", "UINT16", nil, families },
    { "server", "Server", "ADDR" },
    { "server.opaque", "Server", "BYTES" },
    { "lease_id", "Lease Identifier", "BYTES" },
    { "lease_id.type", "Type", "UINT8", nil, { [0] = "Random", "Address-Specific" } },
    { "lease_id.family", "Address Family", "UINT16", nil, families },
    { "lease_id.address", "Client Address", "ADDR" },
    { "lease_id.octets", "Client's Octets", "BYTES" },
    { "scope", "Multicast Scope", "ADDR" },
    { "requested_option", "Requested Option", "UINT16", nil, option_names },
    { "start_time", "Start Time", "TIME" },
    { "addresses.minimum", "Minimum", "UINT16" },
    { "addresses.desired", "Desired", "UINT16" },
    { "language", "Requested Language", "STRING" },
    { "zones", "Zones", "UINT8" },
    { "zone", "Zone", "NONE" },
    { "zone.first", "First Address", "ADDR" },
    { "zone.last", "Last Address", "ADDR" },
    { "zone.ttl", "TTL", "UINT8" },
    { "zone.names", "Names", "UINT8" },
    { "zone.label", "Name", "NONE" },
    { "zone.default", "Default Name", "BOOL", nil, nil, 0x80 },
    { "zone.language", "Language", "STRING" },
    { "zone.language.length", "Language Length", "UINT8" },
    { "zone.name", "Name", "STRING" },
    { "zone.name.length", "Name Length", "UINT8" },
    { "range", "Range", "NONE" },
    { "range.first", "First Address", "ADDR" },
    { "range.size", "Block Size", "UINT16" },
    { "current_time", "Current Time", "TIME" },
    { "feature.count", "Count", "UINT16" },
    { "feature.supported", "Supported", "UINT16", nil, features },
    { "feature.requested", "Requested", "UINT16", nil, features },
    { "feature.required", "Required", "UINT16", nil, features },
    { "retry_time", "Retry Time", "TIME" },
    { "min_lease_time", "Minimum Lease Time", "SECONDS" },
    { "max_start_time", "Maximum Start Time", "TIME" },
    { "error", "Error", "UINT16", nil, errors },
    { "error.option", "Option at Fault", "UINT16", nil, option_names },
    { "error.server_time", "Server's Time", "TIME" },
    { "error.feature", "Feature Not Supported", "UINT16", nil, features },
    { "error.data", "Extra Data", "BYTES" },
    { "nesting.zones", "Zones", "UINT8" },
    { "nesting.row", "Nesting", "STRING" },
  })

  -- one reads an option that is a single field.
  local function one(name) return function(o) o:add(name) end end

  -- list reads codes of two octets to the end of the option; at least one.
  local function list(o, name)
    if o:left() == 0 then o:note("length", "An empty list") end
    while o:left() > 0 do o:add(name) end
  end

  -- opaque shows what only another address family could explain.
  local function opaque(o) if o:left() > 0 then o:add("option.data", o:left()) end end

  local function server(o, m)
    local family = o:add("server.family")
    local width = widths[family]
    if width then
      m:tell("server %s", o:addr("server", width).text)
    elseif o:left() > 0 then
      o:add("server.opaque", o:left())
    else
      o:note("length", "No address")
    end
  end

  local function lease_id(o)
    if o:left() == 0 then return o:note("length", "An identifier has at least one octet") end
    local id = o:sub("lease_id", o:left())
    o.at = o.stop
    local width = id:add("lease_id.type") == 1 and id:left() >= 2 and widths[id:add("lease_id.family")]
    if width and id:left() >= width then id:addr("lease_id.address", width) end
    if id:left() > 0 then id:add("lease_id.octets", id:left()) end
  end

  local function scope(o, m)
    if not m.width then return opaque(o) end
    m:tell("scope %s", o:group("scope", m.width).text)
  end

  local function addresses(o, m)
    local minimum, desired = o:add("addresses.minimum"), o:add("addresses.desired")
    if desired == 0 or minimum > desired then o:note("value", "Nothing desired, or less than the minimum") end
    m:tell("%d-%d addresses", minimum, desired)
  end

  local function zone_name(n)
    n:add("zone.default")
    local tag = n:text("zone.language", n:add("zone.language.length"))
    local name = n:text("zone.name", n:add("zone.name.length"))
    if tag == "" or name == "" then n:note("length", "An empty name or language") end
    return string.format("%s (%s)", name, tag)
  end

  local function zone(z, width)
    local first, last = z:pair("zone.first", "zone.last", width)
    z:add("zone.ttl")
    z:each("zone.label", z:add("zone.names"), "Name", zone_name)
    return first.text .. " - " .. last.text
  end

  local function scope_list(o, m)
    if not m.width then return opaque(o) end
    local count = o:left() > 0 and o:add("zones") or 0 -- nothing at all is an empty list, too
    m.zones = count
    m:tell("%s", plural(count, "zone"))
    o:each("zone", count, "Zone", zone, m.width)
  end

  local function range(r, width)
    local first, item = r:group("range.first", width)
    local size = r:add("range.size")
    if size == 0 then r:note("value", "A range without addresses", item) end
    return plural(size, "address", "addresses") .. " from " .. first.text
  end

  local function ranges(o, m)
    if not m.width then return opaque(o) end
    local size = m.width + 2
    o:each("range", math.floor(o:left() / size), "Range", range, m.width)
  end

  local function feature_list(o)
    for _, name in ipairs({ "supported", "requested", "required" }) do
      for _ = 1, o:add("feature.count") do o:add("feature." .. name) end
    end
  end

  -- What follows the code of an error.
  local extra = {
    [0] = one("error.option"), one("error.option"), one("error.server_time"), function() end,
    function(o) list(o, "error.feature") end,
  }

  local function failure(o, m)
    local code, item = o:add("error")
    local text = name_of(errors, code)
    m:tell("- %s", text)
    m:note("refused", text, item)
    if extra[code] then return extra[code](o) end
    if o:left() > 0 then o:add("error.data", o:left()) end
  end

  -- nesting reads rows of one bit for each other zone.
  local function nesting(o)
    local count = o:add("nesting.zones")
    local width = math.floor((math.max(count, 1) - 1 + 7) / 8)
    for row = 0, count - 1 do
      local range, outer = o:take(width), {}
      for bit = 0, count - 2 do
        if width > 0 and range:bitfield(bit, 1) == 1 then outer[#outer + 1] = bit < row and bit or bit + 1 end
      end
      local text = string.format("%d inside %s", row, #outer > 0 and table.concat(outer, ", ") or "none")
      o.tree:add(o.p.fields["nesting.row"].field, range, text)
    end
  end

  local readers = {
    one("lease_time"), server, lease_id, scope, function(o) list(o, "requested_option") end, one("start_time"),
    addresses, function(o) o:text("language", o:left()) end, scope_list, ranges, one("current_time"), feature_list,
    one("retry_time"), one("min_lease_time"), one("max_start_time"), failure, nesting,
  }

  -- option reads one option and returns its code.
  local function option(m, seen)
    local length = m:left() >= 4 and m.tvb(m.at + 2, 2):uint() or 0
    local o = m:sub("option", math.min(4 + length, m:left()))
    local code = o:add("option.code")
    local name = name_of(option_names, code)
    o.tree:set_text("Option " .. code .. ": " .. name)
    o:add("option.length")
    if o:left() < length then
      o:give_up("cut", string.format("%s of %d are here", plural(o:left(), "octet"), length))
    elseif seen[code] then
      o:note("value", "A second " .. name)
    end
    seen[code] = true
    if code == 0 then
      o:finish("the code of End")
    elseif readers[code] then
      if o:try(readers[code], m) then o:finish("the value") end
    else
      o:note("unknown", "An option without a meaning here")
      opaque(o)
    end
    return code
  end

  datagrams(p, 2535, "MADCAP", function(m)
    local version, item = m:add("version")
    if version ~= 0 then
      m:note("value", "The version is not 0", item)
      m:tell("version %d", version)
      m:add("option.data", m:left())
      return
    end
    local type, type_item = m:add("type")
    if not types[type] then m:note("value", "No such message type", type_item) end
    local family = m:add("family")
    m.width = widths[family]
    m:tell("%s xid 0x%08x", name_of(types, type), m:add("xid"))
    local seen = {}
    while true do
      if m:left() == 0 then m:give_up("cut", "No End option") end
      if option(m, seen) == 0 then break end
    end
    if not seen[3] then m:note("value", "No Lease Identifier") end
  end)
end

---------------------------------------------------------------------------- AAP

do
  local types = { [0] = "ACLM", "AIU", "AITU", "ASA", "ASRP", "ANA" }
  local titles = {
    [0] = "Address Claim", "Address In Use", "Address Intent To Use", "Address Space Announce",
    "Address Space Report", "Address Not Available",
  }
  local p = protocol("aap", "Multicast Address Allocation Protocol", {
    { "version", "Version", "UINT8" },
    { "type", "Message Type", "UINT8", nil, types },
    { "family", "Address Family", "UINT16", nil, families },
    { "rseq", "Request Sequence Number", "UINT24" },
    { "mseq", "Message Sequence Number", "UINT8" },
    { "current_time", "Current Time", "TIME" },
    { "expiration_time", "Expiration Time", "TIME" },
    { "resent", "Repeated by a Server", "BOOL" },
    { "range", "Range", "NONE" },
    { "range.first", "First Address", "ADDR" },
    { "range.last", "Last Address", "ADDR" },
    { "range.end_time", "End Time", "TIME" },
    { "reports", "Reports", "UINT8" },
    { "report.in_use", "Addresses in Use", "UINT32" },
    { "requests", "Requests", "UINT8" },
    { "request", "Request", "NONE" },
    { "request.count", "Addresses", "UINT32" },
    { "request.end_time", "End Time", "TIME" },
    { "data", "Data", "BYTES" },
  })

  local function range(r, m)
    local a, b = r:pair("range.first", "range.last", m.width)
    local until_ = r:add("range.end_time")
    return string.format("%s - %s until %s", a.text, b.text, moment(until_))
  end

  local function report(r, m)
    local a, b = r:pair("range.first", "range.last", m.width)
    return string.format("%s - %s, %d in use", a.text, b.text, (r:add("report.in_use")))
  end

  local function request(r)
    local count, item = r:add("request.count")
    if count == 0 then r:note("value", "A request for no addresses", item) end
    return string.format("%d addresses until %s", count, moment(r:add("request.end_time")))
  end

  local function ranges(m)
    local count = math.floor(m:left() / (2 * m.width + 4))
    if count == 0 and m.type ~= 3 then m:note("length", "No range") end
    m:tell("%s", plural(count, "range"))
    m:each("range", count, "Range", range, m)
  end

  local bodies = {
    [0] = ranges, ranges, ranges,
    function(m)
      local expiration = m:add("expiration_time")
      m:say("resent", m.now > expiration)
      ranges(m)
    end,
    function(m)
      local reports = m:add("reports")
      m:tell("%s", plural(reports, "report"))
      m:each("range", reports, "Report", report, m)
      local requests = m:add("requests")
      m:tell("%s", plural(requests, "request"))
      m:each("request", requests, "Request", request)
    end,
    function(m)
      m:each("request", 1, "Request", function(r)
        local text = request(r)
        m:tell("%s", text)
        return text
      end)
    end,
  }

  datagrams(p, 2878, "AAP", function(m)
    local version, version_item = m:add("version")
    local type, type_item = m:add("type")
    local family, family_item = m:add("family")
    m.type, m.width = type, widths[family]
    m:tell("%s", types[type] and types[type] .. " " .. titles[type] or name_of(types, type))
    local rseq, mseq = m:add("rseq"), m:add("mseq")
    m:tell("rseq %d mseq %d", rseq, mseq)
    m.now = m:add("current_time")
    if version ~= 0 then m:note("value", "The version is not 0", version_item) end
    if not bodies[type] then m:note("value", "No such message type", type_item) end
    if not m.width then m:note("value", "The family is neither IPv4 nor IPv6", family_item) end
    if version == 0 and bodies[type] and m.width then return bodies[type](m) end
    m:add("data", m:left())
  end)
end

--------------------------------------------------------------------------- MASC

do
  local types = { "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE" }
  local roles = { [0] = "INTERNAL", "CHILD", "SIBLING", "PARENT" }
  local claims = {
    [0] = "PREFIX_IN_USE", "CLAIM_DENIED", "CLAIM_TO_EXPAND", "NEW_CLAIM", "PREFIX_MANAGED", "WITHDRAW",
  }
  -- The roles an origin may have in each claim (section 8.3).
  local legal = {
    [0] = { [0] = true, true, true }, { [0] = true, [3] = true }, { [0] = true, true, true }, { [0] = true, true, true },
    { [0] = true, [3] = true }, { [0] = true, true, true, true },
  }
  local codes = {
    "Message Header Error", "OPEN Message Error", "UPDATE Message Error", "Hold Timer Expired",
    "Finite State Machine Error", "NOTIFICATION Message Error", "Cease",
  }
  -- The subcodes of each code; a * marks those after which the connection may
  -- stay open (CC in section 7.5).
  local subcodes = {
    { "Bad Message Length", "Bad Message Type*" },
    {
      "Unsupported Version Number", "Bad Peer Domain ID", "Bad Peer MASC Node ID", [6] = "Unacceptable Hold Time",
      [7] = "Invalid Parent Configuration", [8] = "Inconsistent Role", [9] = "Bad Parent Domain ID",
      [10] = "No Common Parent", [13] = "Unrecognized Address Family",
    },
    {
      "Malformed Attribute List", "Unrecognized Required Attribute*", [5] = "Attribute Length Error",
      [10] = "Invalid Address field*", [11] = "Invalid Mask field*", [12] = "Non-Contiguous Mask*",
      [13] = "Unrecognized Address Family", [14] = "Claim Type Error*", [15] = "Origin Domain ID Error*",
      [16] = "Origin Node ID Error*", [17] = "Claim Lifetime Too Short*", [18] = "Claim Lifetime Too Long*",
      [19] = "Claim Timestamp Too Old*", [20] = "Claim Timestamp Too New*", [21] = "Claim Prefix Size Too Small*",
      [22] = "Claim Prefix Size Too Large*", [23] = "Illegal Origin Role Error*",
      [24] = "No Appropriate Parent Prefix*", [25] = "No Appropriate Child Prefix*",
      [26] = "No Appropriate Internal Prefix*", [27] = "No Appropriate Sibling Prefix*",
      [28] = "Claim Holdtime Too Short*", [29] = "Claim Holdtime Too Long*",
    },
    {}, { "Open/Close MASC Connection FSM Error", "Unexpected Message Type FSM Error" }, {}, {},
  }
  local HEADER, LONGEST = 4, 4096
  local p = protocol("masc", "Multicast Address-Set Claim Protocol", {
    { "length", "Length", "UINT16" },
    { "type", "Type", "UINT8", nil, types },
    { "reserved", "Reserved", "UINT8", base.HEX },
    { "version", "Version", "UINT8" },
    { "family", "Address Family", "UINT8", nil, families, 0x7c },
    { "role", "Sender's Role", "UINT8", nil, roles, 0x03 },
    { "hold_time", "Hold Time", "SECONDS16" },
    { "domain", "Sender's Domain", "UINT32" },
    { "domain6", "Sender's Domain", "IPV6" },
    { "node", "Sender's Node", "ADDR" },
    { "parent", "Parent's Domain", "UINT32" },
    { "parent6", "Parent's Domain", "IPV6" },
    { "parameter", "Parameter", "NONE" },
    { "parameter.length", "Length", "UINT8" },
    { "parameter.type", "Type", "UINT8" },
    { "parameter.value", "Value", "BYTES" },
    { "claim", "Attribute", "NONE" },
    { "claim.length", "Length", "UINT16" },
    { "claim.type", "Type", "UINT8", nil, claims },
    { "claim.reserved", "Reserved", "UINT8", base.HEX },
    { "claim.reserved1", "Reserved", "UINT8", base.HEX },
    { "claim.deprecated", "Deprecated", "BOOL", nil, nil, 0x80 },
    { "claim.family", "Address Family", "UINT8", nil, families, 0x7c },
    { "claim.role", "Origin's Role", "UINT8", nil, roles, 0x03 },
    { "claim.reserved2", "Reserved", "UINT16", base.HEX },
    { "claim.timestamp", "Timestamp", "TIME" },
    { "claim.lifetime", "Lifetime", "SECONDS" },
    { "claim.holdtime", "Holdtime", "SECONDS" },
    { "claim.domain", "Origin's Domain", "UINT32" },
    { "claim.domain6", "Origin's Domain", "IPV6" },
    { "claim.node", "Origin's Node", "ADDR" },
    { "claim.address", "Address", "ADDR" },
    { "claim.mask", "Mask", "ADDR" },
    { "claim.prefix", "Prefix", "STRING" },
    { "claim.data", "Data", "BYTES" },
    { "error.stay", "Connection Stays Open", "BOOL", nil, nil, 0x80 },
    { "error.code", "Error Code", "UINT8", nil, codes, 0x7f },
    { "error.subcode", "Error Subcode", "UINT8" },
    { "error.reason", "Reason", "STRING" },
    { "error.data", "Data", "BYTES" },
    { "data", "Data", "BYTES" },
  })

  -- parameters reads optional parameters to the end of the part.
  local function parameters(part)
    while part:left() > 0 do
      local length = part.tvb(part.at, 1):uint()
      part:each("parameter", 1, "Parameter", function(q)
        q:add("parameter.length")
        local text = "type " .. q:add("parameter.type")
        if length > 0 then q:add("parameter.value", length) end
        return text
      end)
    end
  end

  -- id reads a domain, which is a number in IPv4 messages, and returns it as
  -- text, and whether it is zero.
  local function id(part, name, width)
    if width == 16 then
      local a = part:add(name .. "6")
      return a.text, a.zero
    end
    local n = part:add(name)
    return tostring(n), n == 0
  end

  -- family_of returns the octets of an address of the family, or gives up.
  local function family_of(part, family, item)
    if widths[family] then return widths[family] end
    part:note("value", "The family is neither IPv4 nor IPv6", item)
    error(CUT, 0)
  end

  local function open(m)
    local version, version_item = m:add("version")
    if version ~= 1 then
      m:note("value", "The version is not 1", version_item)
      return m:add("data", m:left())
    end
    local family, role = m:bits("family", "role")
    local hold, item = m:add("hold_time")
    if hold == 1 or hold == 2 then m:note("value", "The hold time is neither 0 nor at least 3 s", item) end
    local width = family_of(m, family)
    local domain, zero = id(m, "domain", width)
    local node = m:addr("node", width)
    local parent = id(m, "parent", width)
    if zero or node.zero then m:note("value", "The domain or the node is 0") end
    m:tell("%s of domain %s node %s, parent %s, hold time %d s", roles[role], domain, node.text, parent, hold)
    parameters(m)
  end

  -- prefix_of returns address and mask as text and what is wrong with them.
  local function prefix_of(address, mask, raw_mask, hint)
    local bits, ended, holes = 0, false, false
    for i = 0, raw_mask:len() * 8 - 1 do
      if raw_mask:bitfield(i, 1) == 0 then
        ended = true
      else
        bits, holes = bits + 1, holes or ended
      end
    end
    local text = address.text .. "/" .. (holes and mask.text or bits)
    if holes then return text, "The mask has holes" end
    if bits < (raw_mask:len() == 4 and 4 or 8) then return text, "The mask is wider than all of multicast" end
    if address.zero then return text, not hint and "An address of 0" or nil end
    return text, not address.group and "The address is not multicast" or nil
  end

  local function claim(a, type)
    a:add("claim.reserved1")
    local deprecated, family, role = a:bits("claim.deprecated", "claim.family", "claim.role")
    a:add("claim.reserved2")
    local width = family_of(a, family)
    local from = a:add("claim.timestamp")
    local lifetime, item = a:add("claim.lifetime")
    item:append_text(", until " .. moment(from + lifetime))
    local _, hold_item = a:add("claim.holdtime")
    local domain, zero = id(a, "claim.domain", width)
    local node = a:addr("claim.node", width)
    local address, address_item = a:addr("claim.address", width)
    local raw = a.tvb(a.at, math.min(width, a:left()))
    local mask = a:addr("claim.mask", width)
    local prefix, wrong = prefix_of(address, mask, raw, type == 1 or type == 3 or type == 5)
    a:say("claim.prefix", prefix)
    if wrong then a:note("value", wrong, address_item) end
    if zero or node.zero then a:note("value", "The origin's domain or node is 0") end
    if not legal[type][role] then a:note("value", "No origin of that role makes such a claim") end
    parameters(a)
    local text = claims[type] .. " " .. prefix
    a.tree:append_text(string.format(": %s by domain %s%s", text, domain, deprecated == 1 and ", deprecated" or ""))
    return text
  end

  local function update(m)
    if m:left() == 0 then m:note("length", "No attribute") end
    while m:left() > 0 do
      local length = m:left() >= 4 and m.tvb(m.at, 2):uint() or m:left()
      local fits = length >= 4 and length <= m:left()
      local a = m:sub("claim", fits and length or m:left(), "Attribute")
      a:add("claim.length")
      local type = a:add("claim.type")
      a:add("claim.reserved")
      if not fits then a:give_up("length", "A length of " .. length .. " is below 4 or beyond the message") end
      if length % 4 ~= 0 then a:note("length", "The length is no multiple of 4") end
      if claims[type] then
        local text
        a:try(function() text = claim(a, type) end)
        m:tell("%s", text or claims[type])
      else
        local kind = type >= 128 and "optional" or "required"
        a:note("unknown", "A " .. kind .. " attribute without a meaning here")
        a.tree:append_text(string.format(": %s attribute of type %d", kind, type))
        if a:left() > 0 then a:add("claim.data", a:left()) end
      end
    end
  end

  local function notification(m)
    local range = m.tvb(m.at, math.min(2, m:left()))
    local stay, code = m:bits("error.stay", "error.code")
    local subcode = m:add("error.subcode")
    local name = subcodes[code] and (subcode == 0 and codes[code] or subcodes[code][subcode])
    local known, may_stay = name ~= nil, name and name:find("*", 1, true)
    name = string.format("%s (%d/%d)", (name or "Unknown reason"):gsub("%*", ""), code, subcode)
    m:say("error.reason", name, range)
    m:note("refused", name)
    if not known then
      m:note("value", "No such error")
    elseif stay == 1 and not may_stay then
      m:note("value", "The connection cannot stay open after this")
    end
    m:tell("%s%s", name, stay == 1 and ", connection stays" or "")
    if m:left() > 0 then m:add("error.data", m:left()) end
  end

  local bodies = { open, update, notification, function() end }

  local function one_message(tvb, pinfo, tree)
    local line = message(p, tvb, pinfo, tree, "MASC", function(m)
      local length, length_item = m:add("length")
      local type, type_item = m:add("type")
      m:add("reserved")
      m:tell("%s", name_of(types, type))
      if length < HEADER or length > LONGEST then
        m:note("length", "The length is not 4 to 4096; nothing can be read after it", length_item)
        if m:left() > 0 then m:add("data", m:left()) end
      elseif bodies[type] then
        bodies[type](m)
      else
        m:note("value", "No such message type", type_item)
        if m:left() > 0 then m:add("data", m:left()) end
      end
    end)
    pinfo.cols.info:append((p.many and "; " or "") .. line)
    p.many = true
    return tvb:len()
  end

  -- length_at returns the length of the message at an offset; one that cannot
  -- be takes all that is there.
  local function length_at(tvb, _, at)
    local length = tvb(at, 2):uint()
    if length < HEADER or length > LONGEST then return tvb:len() - at end
    return length
  end

  function p.proto.dissector(tvb, pinfo, tree)
    pinfo.cols.info = ""
    p.many = false
    if pinfo.can_desegment > 0 and tvb:len() == tvb:reported_len() then
      dissect_tcp_pdus(tvb, tree, HEADER, length_at, one_message)
      return tvb:len()
    end
    -- Nothing more can come: the capture is cut, or reassembly is off.
    local at = 0
    while at < tvb:len() do
      local left = tvb:len() - at
      local length = left < HEADER and left or math.min(length_at(tvb, pinfo, at), left)
      one_message(tvb(at, length):tvb(), pinfo, tree)
      at = at + length
    end
    return tvb:len()
  end
  DissectorTable.get("tcp.port"):add(2587, p.proto)
end

--------------------------------------------------------------------------- MZAP

do
  local types = { [0] = "ZAM", "ZLE", "ZCM", "NIM" }
  local p = protocol("mzap", "Multicast-Scope Zone Announcement Protocol", {
    { "version", "Version", "UINT8" },
    { "divisible", "Divisible (B)", "BOOL", nil, nil, 0x80 },
    { "type", "Type", "UINT8", nil, types, 0x7f },
    { "family", "Address Family", "UINT8", nil, families },
    { "names", "Names", "UINT8" },
    { "origin", "Message Origin", "ADDR" },
    { "zone_id", "Zone ID Address", "ADDR" },
    { "zone.first", "Zone Start Address", "ADDR" },
    { "zone.last", "Zone End Address", "ADDR" },
    { "name", "Zone Name", "NONE" },
    { "name.default", "Default Name (D)", "BOOL", nil, nil, 0x80 },
    { "name.language", "Language", "STRING" },
    { "name.language.length", "Language Length", "UINT8" },
    { "name.text", "Name", "STRING" },
    { "name.length", "Name Length", "UINT8" },
    { "padding", "Padding", "BYTES" },
    { "zones_traveled", "Zones Traveled (ZT)", "UINT8" },
    { "zones_limit", "Zones Traveled Limit (ZTL)", "UINT8" },
    { "hold_time", "Hold Time", "SECONDS16" },
    { "local_zone", "Local Zone ID Address", "ADDR" },
    { "hop", "Zone Path", "NONE" },
    { "router", "Router Address", "ADDR" },
    { "routers", "Routers (ZNUM)", "UINT8" },
    { "unused", "Unused", "UINT8", base.HEX },
    { "zbr", "Zone Boundary Router", "ADDR" },
    { "not_inside", "Not-Inside Zone Start Address", "ADDR" },
    { "data", "Data", "BYTES" },
  })

  -- unicast reads the address of a router or a zone; a zone may be unknown (0).
  local function unicast(part, name, width, may_be_zero)
    local a, item = part:addr(name, width)
    if a.zero and may_be_zero then
      item:append_text(" (unknown)")
    elseif a.zero or a.group then
      part:note("value", a.text .. " is no unicast address", item)
    end
    return a
  end

  local function name(n)
    n:add("name.default")
    local tag = n:text("name.language", n:add("name.language.length"))
    local text = n:text("name.text", n:add("name.length"))
    if text == "" then n:note("value", "An empty name") end
    return string.format("%s (%s)", text, tag)
  end

  local function hop(h, width)
    local router = unicast(h, "router", width)
    return router.text .. " into " .. unicast(h, "local_zone", width, true).text
  end

  local function announcement(m)
    local traveled = m:add("zones_traveled")
    local limit = m:add("zones_limit")
    m:add("hold_time")
    m:tell("zones traveled %d of %s", traveled, limit == 0 and "any" or limit)
    unicast(m, "local_zone", m.width, true)
    m:each("hop", traveled, "Hop", hop, m.width)
  end

  local bodies = {
    [0] = announcement, announcement,
    function(m)
      local routers = m:add("routers")
      m:add("unused")
      m:add("hold_time")
      m:tell("hears %s", plural(routers, "router"))
      for _ = 1, routers do unicast(m, "zbr", m.width) end
    end,
    function(m)
      local y, item = m:group("not_inside", m.width)
      m:tell("not inside %s", y.text)
      if y.key == m.first.key then m:note("value", "A zone is always inside itself", item) end
    end,
  }

  datagrams(p, 2106, "MZAP", function(m)
    local version, version_item = m:add("version")
    local _, type = m:bits("divisible", "type")
    local family, family_item = m:add("family")
    m:tell("%s", name_of(types, type))
    m.width = widths[family]
    if version ~= 0 then m:note("value", "The version is not 0", version_item) end
    if not bodies[type] then m:note("value", "No such message type") end
    if not m.width then m:note("value", "The family is neither IPv4 nor IPv6", family_item) end
    if version ~= 0 or not bodies[type] or not m.width then return m:add("data", m:left()) end
    local names = m:add("names")
    local origin = unicast(m, "origin", m.width)
    unicast(m, "zone_id", m.width)
    local first, last = m:pair("zone.first", "zone.last", m.width)
    m.first = first
    m:tell("zone %s - %s from %s", first.text, last.text, origin.text)
    m:each("name", names, "Name", name)
    local padding = (4 - m.at % 4) % 4
    if padding > 0 then m:add("padding", padding) end
    bodies[type](m)
  end)
end

-------------------------------------------------------------------------- Xcast

do
  local p = protocol("xcast", "Explicit Multicast", {
    { "version", "Version", "UINT8", nil, nil, 0xf0 },
    { "anonymous", "Anonymous (A)", "BOOL", nil, nil, 0x08 },
    { "stay", "Stay Xcast (X)", "BOOL", nil, nil, 0x04 },
    { "has_dscps", "DS Octets (D)", "BOOL", nil, nil, 0x02 },
    { "has_ports", "Ports (P)", "BOOL", nil, nil, 0x01 },
    { "destinations", "Destinations", "UINT8", nil, nil, 0x7f },
    { "checksum", "Checksum", "UINT16", base.HEX },
    { "channel", "Channel Identifier", "UINT32", base.HEX },
    { "channel6", "Channel Identifier", "BYTES" },
    { "protocol", "Protocol", "UINT8" },
    { "length", "Length", "UINT8" },
    { "reserved", "Reserved", "UINT16", base.HEX },
    { "bitmap", "Bitmap", "BYTES" },
    { "address", "Destination", "ADDR" },
    { "served", "Destination To Serve", "ADDR" },
    { "dscp", "DSCP", "UINT8", nil, nil, 0xfc },
    { "port", "Port", "UINT16" },
    { "padding", "Padding", "BYTES" },
    { "tunnel", "Semi-Permeable Tunnel", "BYTES" },
  })
  local prefs = p.proto.prefs
  prefs.protocol = Pref.uint("IPv4 protocol", 253, "The IPv4 Protocol of the Xcast4 header")
  prefs.routing = Pref.uint("IPv6 Routing Type", 253, "The Routing Type of the Xcast6 header")
  prefs.ports = Pref.uint("Ports option", 0x5e, "The IPv6 destination option with the ports")
  prefs.tunnel = Pref.uint("Tunnel option", 0x1e, "The hop-by-hop option of a semi-permeable tunnel")

  local function round_up(n, unit) return math.ceil(n / unit) * unit end

  -- ones_sum returns the one's complement sum of some ranges of even length.
  local function ones_sum(...)
    local sum = 0
    for _, range in ipairs({ ... }) do
      for at = 0, range:len() - 2, 2 do sum = sum + range(at, 2):uint() end
    end
    while sum > 65535 do sum = sum % 65536 + math.floor(sum / 65536) end
    return sum
  end

  -- start reads what both headers have first: version, flags and the number of
  -- destinations. It returns whether there are DS octets and ports.
  local function start(h, ...)
    local version, anonymous, _, dscps, ports = h:bits("version", "anonymous", "stay", "has_dscps", ...)
    if version ~= 1 then h:give_up("value", "The version is not 1") end
    local item
    h.anonymous = anonymous == 1
    h.count, item = h:add("destinations")
    if h.count == 0 then h:note("value", "A header without destinations", item) end
    return dscps == 1, ports == 1
  end

  -- lists reads bitmap, addresses, DS octets and ports, each padded to a
  -- multiple of unit octets, and returns the line about them.
  local function lists(h, width, unit, dscps, ports)
    local count, served = h.count, {}
    local bitmap = h:take(round_up(count, 8 * unit) / 8)
    local _, bitmap_item = h:put("bitmap", bitmap)
    for i = 0, count - 1 do
      local range = h:take(width)
      local name = width == 4 and "address" or "address6"
      local a, item = h:put(name, range)
      if bitmap:bitfield(i, 1) == 1 then
        served[#served + 1] = range
        item:append_text(" (to serve)")
      elseif h.anonymous and not a.zero then
        h:note("value", "A destination that is served should be anonymous", item)
      end
    end
    if count > 0 and #served == 0 then h:note("value", "No destination is left to serve", bitmap_item) end
    for _, list in ipairs({ dscps and "dscp", ports and "port" }) do
      local size = list and h.p.fields[list].size or 0
      for _ = 1, list and count or 0 do h:add(list) end
      local padding = round_up(size * count, unit) - size * count
      if padding > 0 then h:add("padding", padding) end
    end
    for _, range in ipairs(served) do
      local _, item = h:put(width == 4 and "served" or "served6", range)
      item:set_generated()
    end
    h:tell("to %d of %s", #served, plural(count, "destination"))
  end

  -- check_length compares the length that a header states with what it took.
  local function check_length(h, stated, size, item)
    if stated ~= size then
      h:note("length", string.format("The header says %s, its lists take %d", plural(stated, "octet"), size), item)
    end
  end

  local xcast4 = Proto("xcast4", "Explicit Multicast (Xcast4)")
  local ip_protocols = DissectorTable.get("ip.proto")

  function xcast4.dissector(tvb, pinfo, tree)
    local inner, rest
    local line = message(p, tvb, pinfo, tree, "Xcast4", function(h)
      h.tree:set_len(math.min(12, h.stop))
      local dscps, ports = start(h, "has_ports")
      local sum, sum_item = h:add("checksum")
      h:add("channel")
      inner = h:add("protocol")
      local length, item = h:add("length")
      h:add("reserved")
      lists(h, 4, 4, dscps, ports)
      h.tree:set_len(h.at)
      check_length(h, length * 4, h.at, item)
      if ones_sum(tvb(0, h.at)) ~= 65535 then h:note("checksum", "The checksum is wrong", sum_item) end
      rest, h.at = h.at, h.stop
    end)
    pinfo.cols.info = line
    if rest and rest < tvb:len() then
      if pcall(ip_protocols.try, ip_protocols, inner, tvb(rest):tvb(), pinfo, tree) then
        pinfo.cols.protocol:prepend("Xcast4/")
        pinfo.cols.info:prepend(line .. ": ")
      else
        tree:add_proto_expert_info(p.notes.inside, "What is inside is malformed")
      end
    end
    return tvb:len()
  end

  -- The IPv6 dissector gives what follows the first four octets of a Routing
  -- header, which the checksum covers, too.
  local xcast6 = Proto("xcast6", "Explicit Multicast (Xcast6)")
  local routing_header = Field.new("ipv6.routing")
  local last6 = {} -- the last header: of which packet, and its line

  function xcast6.dissector(tvb, pinfo, tree)
    local found = { routing_header() }
    local whole = #found > 0 and found[#found].range
    last6 = { packet = pinfo.number }
    last6.line = message(p, tvb, pinfo, tree, "Xcast6", function(h)
      local dscps = start(h)
      local sum, sum_item = h:add("checksum")
      h:add("channel6", 16)
      lists(h, 16, 8, dscps, false)
      check_length(h, tvb:len() + 4, h.at + 4)
      if whole and whole:len() >= 4 and h.at == h.stop and ones_sum(whole(0, 4), tvb(0, h.at)) ~= 65535 then
        h:note("checksum", "The checksum is wrong", sum_item)
      end
      h.at = h.stop
    end)
    return tvb:len()
  end

  -- Options of IPv6 have no table of dissectors, so these are read afterwards.
  local options, number = Field.new("ipv6.opt"), Field.new("xcast.destinations")

  function p.proto.dissector(tvb, pinfo, tree)
    local count = number()
    for _, found in ipairs({ options() }) do
      local range = found.range
      local type = range:len() >= 2 and range(0, 1):uint() or nil
      local length = type and math.min(range(1, 1):uint(), range:len() - 2)
      if type == prefs.ports and count then
        local part = new_part(p, range:tvb(), tree:add(p.proto, range, "Explicit Multicast, Ports"), 2, 2 + length)
        if length ~= 2 * count.value then
          part:note("length", string.format("%s for %s", plural(length, "octet"), plural(count.value, "port")))
        end
        for _ = 1, math.floor(length / 2) do part:add("port") end
      elseif type == prefs.tunnel then
        tree:add(p.proto, range, "Explicit Multicast, Semi-Permeable Tunnel"):add(p.fields.tunnel.field, range)
      end
    end
    if last6.packet == pinfo.number then -- the columns are those of the packet inside by now
      if tostring(pinfo.cols.protocol) ~= "Xcast6" then pinfo.cols.protocol:prepend("Xcast6/") end
      pinfo.cols.info:prepend(last6.line .. ": ")
      last6 = {}
    end
  end
  register_postdissector(p.proto)

  -- The numbers take effect now and whenever a preference changes.
  local routing_types, used = DissectorTable.get("ipv6.routing.type"), {}
  local function prefs_changed()
    if used.protocol == prefs.protocol and used.routing == prefs.routing then return end
    if used.protocol then
      ip_protocols:remove(used.protocol, xcast4)
      routing_types:remove(used.routing, xcast6)
    end
    used = { protocol = prefs.protocol, routing = prefs.routing }
    ip_protocols:add(used.protocol, xcast4)
    routing_types:add(used.routing, xcast6)
  end
  p.proto.prefs_changed = prefs_changed
  prefs_changed()
end
