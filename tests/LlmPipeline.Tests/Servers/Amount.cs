using System.Globalization;

namespace LlmPipeline;

/// <summary>How much of something a test does: little in the suite, more when an environment variable says so.</summary>
internal static class Amount
{
    public static int Of(string variable, int usual) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : usual;
}
