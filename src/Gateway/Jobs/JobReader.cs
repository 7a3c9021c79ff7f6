using System.Security.Cryptography;

namespace LlmPipeline;

/// <summary>Reads what jobs are asked for; what is wrong is told by the place of the job and the field.</summary>
internal sealed class JobReader(PromptFunctionFinder functions, PromptQueueOptions options)
{
    private const int MaxKey = 256, MaxAttempts = 1000;
    private const double MaxSeconds = 365 * 86400;

    private static readonly string[] Known =
        ["model", "prompt", "stream", "function", "variables", "request", "lane", "delay", "deadline", "idempotency_key", "metadata", "max_attempts"];

    /// <exception cref="ApiException">Something is wrong with one of them.</exception>
    public IReadOnlyList<JobRequest> Read(IReadOnlyList<JsonFields> objects)
    {
        var loaded = new Dictionary<string, PromptFunction>(StringComparer.Ordinal);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var requests = new List<JobRequest>(objects.Count);
        foreach (var fields in objects)
        {
            var request = Read(fields, loaded);
            if (request.IdempotencyKey is { } key && !keys.Add(key))
                throw fields.Wrong("idempotency_key", "stands there twice");
            requests.Add(request);
        }

        return requests;
    }

    private JobRequest Read(JsonFields fields, Dictionary<string, PromptFunction> loaded)
    {
        foreach (var (name, _) in fields.All())
        {
            if (!Known.Contains(name))
                throw fields.Wrong(name, $"is no field of a job; there are: {string.Join(", ", Known)}", "unknown_parameter");
        }

        var raw = fields.Raw;
        if (RequestBytes.MostOfJob(options.MaxJobBytes) is var most && raw.Length > most)
            throw (ApiError.TooLarge($"The job has {raw.Length} bytes, the most is {most}.") with { Param = fields.Path }).Thrown();
        var (model, work, function) = Work(fields, loaded);
        if (Names.ModelFault(model) is { } fault)
            throw fields.Wrong("model", fault);
        var (delay, deadline) = (Seconds(fields, "delay", 0), Seconds(fields, "deadline", 0.001));
        if (deadline <= delay)
            throw fields.Wrong("deadline", "must be later than 'delay'");
        return new JobRequest
        {
            KeyName = fields.Name("idempotency_key"),
            Model = model,
            Work = work,
            Function = function,
            Lane = LaneOf(fields),
            Delay = delay ?? TimeSpan.Zero,
            Deadline = deadline,
            IdempotencyKey = fields.Text("idempotency_key") is { } key
                ? key.Length is > 0 and <= MaxKey ? key : throw fields.Wrong("idempotency_key", $"must have 1 to {MaxKey} characters")
                : null,
            Asked = Convert.ToHexStringLower(SHA256.HashData(raw)),
            Metadata = BatchRequest.Pairs(fields),
            MaxAttempts = fields.Number("max_attempts") is { } attempts
                ? attempts is >= 1 and <= MaxAttempts ? (int)attempts : throw fields.Wrong("max_attempts", $"must be from 1 to {MaxAttempts}")
                : null,
        };
    }

    private (string Model, JobWork Work, PromptFunction? Function) Work(JsonFields fields, Dictionary<string, PromptFunction> loaded)
    {
        string[] kinds = [.. ((string[])["prompt", "function", "request"]).Where(fields.Has)];
        if (kinds.Length != 1)
            throw fields.Wrong(kinds.ElementAtOrDefault(1) ?? "prompt", "must be there, or 'function', or 'request', and only one of them");
        if (kinds[0] != "function" && fields.Has("variables"))
            throw fields.Wrong("variables", "goes with 'function' only");
        if (kinds[0] != "prompt" && fields.Has("stream"))
            throw fields.Wrong("stream", "goes with 'prompt' only; a request has it in its body");
        switch (kinds[0])
        {
            case "prompt":
                var model = fields.Required("model");
                return (model, RequestWork.OfPrompt(model, fields.Required("prompt"), fields.Flag("stream")), null);
            case "function":
                return OfFunction(fields, loaded);
            default:
                return OfRequest(fields, fields.Object("request")!);
        }
    }

    private static (string Model, JobWork Work, PromptFunction? Function) OfRequest(JsonFields fields, JsonFields request)
    {
        var url = InputOptions.Endpoint(request.Required("url")) ?? throw request.Wrong("url", $"must be one of {InputOptions.Endpoints}");
        var body = request.Object("body") ?? throw request.Wrong("body", "is missing", "missing_required_parameter");
        foreach (var (name, _) in request.All())
        {
            if (name is not ("url" or "body"))
                throw request.Wrong(name, "is no field of a request; there are: url, body", "unknown_parameter");
        }

        var model = body.Required("model");
        if (fields.Text("model") is { } other && other != model)
            throw fields.Wrong("model", $"is another than that of 'request.body'");
        return (model, new RequestWork { Path = url, Body = body.Raw.ToArray() }, null);
    }

    private (string Model, JobWork Work, PromptFunction? Function) OfFunction(JsonFields fields, Dictionary<string, PromptFunction> loaded)
    {
        var function = Find(fields, fields.Required("function"), loaded);
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        if (fields.Object("variables") is { } given)
        {
            foreach (var (name, _) in given.All())
            {
                if (!function.Variables.Any(variable => variable.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
                    throw given.Wrong(name, $"is no variable of {function.Name}; there are: {string.Join(", ", function.Variables.Select(variable => variable.Name))}");
                if (given.Text(name) is { } text)
                    variables[name] = text;
            }
        }

        if (function.FirstMissing(variables) is { } missing)
            throw fields.Wrong("variables." + missing, "is missing", "missing_required_parameter");
        return (
            fields.Text("model") ?? function.ModelId ?? fields.Required("model"),
            new PromptWork { Function = function.Name, Sha = function.Sha, Variables = variables },
            function);
    }

    // A path is for who sits at the machine.
    private PromptFunction Find(JsonFields fields, string name, Dictionary<string, PromptFunction> loaded)
    {
        if (loaded.TryGetValue(name, out var known))
            return known;
        try
        {
            return loaded[name] = functions.Names().Contains(name)
                ? functions.Find(name)
                : throw fields.Wrong("function", $"names none; there are: {string.Join(", ", functions.Names())}");
        }
        catch (PromptFunctionException e)
        {
            throw new ApiError(500, $"The prompt function '{name}' is broken; the gateway's log tells how.", "server_error", "function").Thrown(e);
        }
    }

    private static Lane LaneOf(JsonFields fields) => fields.Text("lane") switch
    {
        "high" => Lane.High,
        null or "normal" => Lane.Normal,
        "low" => Lane.Low,
        _ => throw fields.Wrong("lane", "must be high, normal or low"),
    };

    private static TimeSpan? Seconds(JsonFields fields, string name, double least) => fields.Real(name) is { } seconds
        ? seconds >= least && seconds <= MaxSeconds ? TimeSpan.FromSeconds(seconds) : throw fields.Wrong(name, $"must be seconds from now, from {least} to {MaxSeconds}")
        : null;
}
