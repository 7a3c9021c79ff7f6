using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// What a row asks for, as three hashes: <c>content.parameters.endpoint</c>. The content is a body with its path, or the variables that a
/// template uses; the parameters are the model, the prompt function, the system message and the settings. Equal keys are equal requests.
/// </summary>
internal sealed class RequestKey(RunPlan plan)
{
    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly Dictionary<string, string> _parameters = new(StringComparer.Ordinal);
    private readonly IReadOnlyList<string> _variables = [.. (plan.Function?.Variables ?? []).Select(variable => variable.Name).Order(StringComparer.Ordinal)];

    /// <summary>The key of a row's job. Not for several threads at a time.</summary>
    public string Of(Job job)
    {
        _text.ResetWrittenCount();
        if (job.Work is RequestWork request)
        {
            Add(request.Path);
            _text.Write(request.Body.Span);
        }
        else
        {
            var variables = ((PromptWork)job.Work).Variables;
            foreach (var name in _variables)
            {
                // A name in another case serves too, as it does when the template is rendered.
                var value = variables.TryGetValue(name, out var exact) ? exact
                    : variables.FirstOrDefault(one => string.Equals(one.Key, name, StringComparison.OrdinalIgnoreCase)).Value;
                Add(value is null ? "-" : "+" + value);
            }
        }

        if (!_parameters.TryGetValue(job.Model, out var rest))
            _parameters.Add(job.Model, rest = ParametersOf(job.Model));
        return XxHash128.HashToUInt128(_text.WrittenSpan).ToString("x32", CultureInfo.InvariantCulture) + rest;
    }

    /// <summary>Parameters and endpoint of a key: <c>parameters.endpoint</c>.</summary>
    public static string ShapeOf(string key) => key[(key.IndexOf('.', StringComparison.Ordinal) + 1)..];

    /// <summary>The hash of a key, where many are in memory.</summary>
    public static UInt128 Hash(string key) => XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(key));

    private string ParametersOf(string model)
    {
        var text = new StringBuilder(model).Append('\0').Append(plan.Function?.Sha).Append('\0');
        if (plan.Function is not null)
        {
            text.Append(plan.Options.System).Append('\0');
            foreach (var (name, value) in plan.Settings.OrderBy(setting => setting.Key, StringComparer.Ordinal))
                text.Append(name).Append('=').Append(value.GetRawText()).Append('\0');
        }

        return $".{Short(text.ToString())}.{Short(plan.AnswererOf(model))}";
    }

    private static string Short(string text) => XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(text)).ToString("x16", CultureInfo.InvariantCulture);

    private void Add(string part)
    {
        Encoding.UTF8.GetBytes(part, _text);
        _text.Write("\0"u8);
    }
}
