using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace LlmPipeline;

/// <summary>A setting whose value is of the wrong type: key, value and what is allowed, in place of the binder's names of types.</summary>
internal static partial class WrongType
{
    /// <summary>The reason in one line; null where the binder means something else.</summary>
    /// <param name="e">What the binder has thrown; of a setting in a list it is an inner exception.</param>
    public static string? Reason(Exception e) => Message().Match(e.Message) is { Success: true } match
        ? $"{match.Groups["key"].Value}: '{SafeText.Line(match.Groups["value"].Value, 100)}' is not {Allowed(match.Groups["type"].Value)}"
        : e is AggregateException several ? several.InnerExceptions.Select(Reason).FirstOrDefault(reason => reason is not null)
        : e.InnerException is { } inner ? Reason(inner)
        : null;

    /// <summary>An object or a list in place of a value, which the binder leaves out; null for none.</summary>
    /// <param name="keys">The keys of all settings.</param>
    public static string? OfShape(IEnumerable<string> keys)
    {
        const BindingFlags Properties = BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance;
        foreach (var key in keys.Where(key => key.Contains(ConfigurationPath.KeyDelimiter, StringComparison.Ordinal)))
        {
            if (typeof(Settings).GetProperty(key.Split(ConfigurationPath.KeyDelimiter)[0], Properties) is not { } property)
                continue;
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (type.IsPrimitive || type == typeof(string) || type == typeof(TimeSpan))
                return $"{property.Name}: is an object or a list, and not {Allowed(type.FullName!)}";
        }

        return null;
    }

    private static string Allowed(string type) => type switch
    {
        "System.Int32" => "a whole number up to 2147483647",
        "System.Int64" => "a whole number",
        "System.Double" or "System.Decimal" => "a number",
        "System.String" => "a text",
        "System.Boolean" => "true or false",
        "System.TimeSpan" => "a time: a number of seconds, or hours:minutes:seconds such as 00:10:00",
        _ when Enumeration(type) is { } names => $"one of {string.Join(", ", names)}",
        _ when type.Contains("IList", StringComparison.Ordinal) => "a list, in square brackets",
        _ when type.EndsWith("Options", StringComparison.Ordinal) => "an object, in braces",
        _ => $"of the type {type.Split('.')[^1]}",
    };

    private static string[]? Enumeration(string type) =>
        Array.Find([typeof(DeploymentKind), typeof(LimitScope)], one => one.FullName == type) is { } found ? Enum.GetNames(found) : null;

    [GeneratedRegex(
        "configuration value '(?<value>.*)' at '(?<key>[^']*)' to type '(?:System.Nullable`1\\[)?(?<type>[^'\\]]*)\\]?'",
        RegexOptions.Singleline)]
    private static partial Regex Message();
}
