using System.Buffers.Text;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>As much of Redis's protocol as tells one call and one answer from the next.</summary>
internal static class Resp
{
    private static readonly Dictionary<string, string> Scripts = new[] { typeof(PromptQueue), typeof(ResultStore) }
        .SelectMany(room => room.Assembly.GetTypes())
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
        .Where(field => field.FieldType == typeof(RedisScript))
        .Select(field => (RedisScript)field.GetValue(null)!)
        .ToDictionary(script => Sha(Encoding.UTF8.GetBytes(script.Text)), script => script.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The length of the value at the beginning of <paramref name="bytes"/>; -1 when it isn't all there.</summary>
    public static int LengthOf(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        for (var left = 1L; left > 0; left--)
        {
            var line = bytes[at..].IndexOf("\r\n"u8);
            if (line < 0)
                return -1;
            var kind = (char)bytes[at];
            var count = kind is '$' or '=' or '!' or '*' or '~' or '>' or '%' && Utf8Parser.TryParse(bytes.Slice(at + 1, line - 1), out int n, out _) ? n : 0;
            at += line + 2;
            if (kind is '*' or '~' or '>' or '%')
                left += Math.Max(0, kind == '%' ? 2 * count : count);
            else if (kind is '$' or '=' or '!' && count >= 0)
                at += count + 2;
            if (at > bytes.Length)
                return -1;
        }

        return at;
    }

    /// <summary>The verb of a call: a script of ours by its name, else the command in upper case; and its first argument.</summary>
    public static (string Verb, string Argument) VerbOf(ReadOnlySpan<byte> call)
    {
        var at = call.IndexOf("\r\n"u8) + 2;
        var command = Encoding.ASCII.GetString(Word(call, ref at)).ToUpperInvariant();
        var argument = at < call.Length ? Word(call, ref at) : [];
        var script = command switch { "EVALSHA" => Encoding.ASCII.GetString(argument), "EVAL" => Sha(argument), _ => "" };
        return (Scripts.GetValueOrDefault(script, command), argument.Length <= 64 ? Encoding.UTF8.GetString(argument) : "");
    }

    /// <summary>The channel of a message; null for anything else.</summary>
    public static string? ChannelOf(ReadOnlySpan<byte> answer)
    {
        var kind = "3\r\n$7\r\nmessage\r\n"u8;
        var at = 1 + kind.Length;
        return answer[0] is (byte)'*' or (byte)'>' && answer[1..].StartsWith(kind) ? Encoding.UTF8.GetString(Word(answer, ref at)) : null;
    }

    private static ReadOnlySpan<byte> Word(ReadOnlySpan<byte> call, ref int at)
    {
        var line = call[at..].IndexOf("\r\n"u8);
        if (!Utf8Parser.TryParse(call.Slice(at + 1, line - 1), out int length, out _))
            throw new FormatException("not a call");
        var word = call.Slice(at + line + 2, length);
        at += line + 2 + length + 2;
        return word;
    }

    // Redis names scripts by it.
    private static string Sha(ReadOnlySpan<byte> script) => Convert.ToHexString(SHA1.HashData(script));
}
