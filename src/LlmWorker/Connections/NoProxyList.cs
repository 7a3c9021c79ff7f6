using System.Net;

namespace LlmPipeline;

/// <summary>
/// The hosts of <c>NO_PROXY</c>, by curl's rules (<see href="https://curl.se/libcurl/c/CURLOPT_NOPROXY.html"/>): a name covers the host
/// and all of its subdomains, with or without a leading dot; <c>*</c> covers every host; addresses may have a prefix length
/// (<c>10.0.0.0/8</c>). Beyond curl, an entry may name a port, and <c>*.example.com</c> is read as <c>.example.com</c>.
/// </summary>
internal sealed class NoProxyList
{
    private static readonly char[] Separators = [',', ' ', '\t'];
    private readonly IReadOnlyList<string> _entries;

    /// <param name="text">The value of the variable; null when it is not set.</param>
    public NoProxyList(string? text) =>
        _entries = text?.Split(Separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>Reads the environment: the variable in lower case goes first, and an empty one counts as not set, as for curl.</summary>
    /// <param name="variable">The value of a variable; null when it is not set.</param>
    public static NoProxyList Read(Func<string, string?> variable) =>
        new(variable("no_proxy") is { Length: > 0 } lower ? lower : variable("NO_PROXY"));

    /// <summary>Whether calls to this address go past the proxy.</summary>
    public bool Covers(Uri destination)
    {
        if (_entries.Count == 0)
            return false;
        var host = destination.IdnHost.TrimEnd('.');
        var address = IPAddress.TryParse(host, out var parsed) ? parsed : null;
        foreach (var entry in _entries)
        {
            if (entry == "*" || Covers(entry, host, address, destination.Port))
                return true;
        }

        return false;
    }

    private static bool Covers(string entry, string host, IPAddress? address, int port)
    {
        if (entry.LastIndexOf('/') is var slash and > 0)
            return address is not null && Covers(entry.AsSpan(0, slash), entry.AsSpan(slash + 1), address);
        var name = WithoutPort(entry, out var only);
        if (only is not null && only != port)
            return false;
        if (address is not null)
            return IPAddress.TryParse(name, out var exact) && exact.Equals(address);
        var domain = name.StartsWith("*.", StringComparison.Ordinal) ? name[2..] : name.TrimStart('.');
        domain = domain.TrimEnd('.');
        return domain.Length > 0
            && host.EndsWith(domain, StringComparison.OrdinalIgnoreCase)
            && (host.Length == domain.Length || host[^(domain.Length + 1)] == '.');
    }

    // Not IPNetwork, which refuses a network whose address has bits behind the prefix; curl ignores these bits.
    private static bool Covers(ReadOnlySpan<char> network, ReadOnlySpan<char> length, IPAddress address)
    {
        if (!IPAddress.TryParse(network, out var first)
            || first.AddressFamily != address.AddressFamily
            || !int.TryParse(length, out var bits))
            return false;
        var (left, right) = (first.GetAddressBytes(), address.GetAddressBytes());
        if (bits < 0 || bits > left.Length * 8)
            return false;
        for (var bit = 0; bit < bits; bit++)
        {
            if (((left[bit / 8] ^ right[bit / 8]) & (0x80 >> (bit % 8))) != 0)
                return false;
        }

        return true;
    }

    // An address of IPv6 holds colons of its own, and may stand in brackets.
    private static string WithoutPort(string entry, out int? port)
    {
        port = null;
        if (entry.StartsWith('[') && entry.IndexOf(']') is var end and > 0)
        {
            port = int.TryParse(entry.AsSpan(Math.Min(entry.Length, end + 2)), out var behind) ? behind : null;
            return entry[1..end];
        }

        var colon = entry.IndexOf(':');
        if (colon < 0 || colon != entry.LastIndexOf(':') || !int.TryParse(entry.AsSpan(colon + 1), out var number))
            return entry;
        port = number;
        return entry[..colon];
    }
}
