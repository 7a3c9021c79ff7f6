using System.Reflection;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// A Lua script that an assembly embeds as <c>NAME.lua</c>. It is sent as a whole once and by its hash after that, and again after a
/// <c>SCRIPT FLUSH</c>: StackExchange.Redis does this for scripts given as text.
/// </summary>
public sealed class RedisScript
{
    private RedisScript(string name, string text)
    {
        Name = name;
        Text = text;
    }

    /// <summary>The verb: the file's name without <c>.lua</c>.</summary>
    public string Name { get; }

    /// <summary>As it is sent.</summary>
    internal string Text { get; }

    /// <summary>Reads a script from <paramref name="assembly"/>.</summary>
    /// <param name="assembly">What embeds it.</param>
    /// <param name="names">The script's name last; before it those of what it begins with: functions that it shares with others.</param>
    /// <exception cref="ArgumentException">The assembly embeds none of such a name.</exception>
    public static RedisScript Load(Assembly assembly, params string[] names)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        ArgumentNullException.ThrowIfNull(names);
        return new RedisScript(names[^1], string.Concat(names.Select(Read)));

        string Read(string name)
        {
            using var stream = assembly.GetManifestResourceStream(name + ".lua")
                ?? throw new ArgumentException($"{assembly.GetName().Name} embeds no {name}.lua", nameof(names));
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Runs it.</summary>
    /// <param name="database">Where.</param>
    /// <param name="keys">KEYS, as the script's head lists them; all in one slot.</param>
    /// <param name="arguments">ARGV, as the script's head lists them.</param>
    /// <exception cref="RedisException">Redis answers with an error or not at all; in the second case the script may have run.</exception>
    public Task<RedisResult> RunAsync(RedisCalls database, RedisKey[] keys, RedisValue[] arguments)
    {
        ArgumentNullException.ThrowIfNull(database);
        return database.ScriptEvaluateAsync(Text, keys, arguments);
    }

    /// <summary>The same without repeats.</summary>
    internal Task<RedisResult> RunAsync(IDatabase database, RedisKey[] keys, RedisValue[] arguments) => database.ScriptEvaluateAsync(Text, keys, arguments);
}
