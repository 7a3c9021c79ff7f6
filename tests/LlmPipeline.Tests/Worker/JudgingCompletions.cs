using System.Text;

namespace LlmPipeline.Tests;

/// <summary>Covers <see cref="CompletionCheck"/>.</summary>
public sealed class JudgingCompletions
{
    private const string Chat =
        "/v1/chat/completions", Text = "/v1/completions", Embeddings = "/v1/embeddings", Responses = "/v1/responses";

    [Theory]
    [InlineData(Chat, """{"choices":[{"message":{"role":"assistant","content":"four"},"finish_reason":"stop"}]}""", "None")]
    [InlineData(Chat, """{"error":null,"choices":[{"message":{"content":[{"type":"text","text":"four"}]}}]}""", "None")]
    [InlineData(Chat, """{"error":{"code":0,"message":""},"choices":[{"message":{"content":"four"}}]}""", "None")]
    [InlineData(Chat, """{"choices":[{"message":{"content":null,"tool_calls":[{"id":"t"}]},"finish_reason":"tool_calls"}]}""", "None")]
    [InlineData(Chat, """{"choices":[{"message":{"content":null,"reasoning_content":"hm"},"finish_reason":"length"}]}""", "CutOff, Empty")]
    [InlineData(Chat, """{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}""", "Empty")]
    [InlineData(Chat, """{"choices":[{"message":{"content":null,"refusal":"no"}}]}""", "Refused")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"},"finish_reason":"max_tokens"}]}""", "CutOff")]
    [InlineData(
        Chat, """{"choices":[{"finish_reason":"content_filter","content_filter_results":{"hate":{"filtered":true}}}]}""", "Empty, Refused")]
    [InlineData(Text, """{"choices":[{"text":"four","finish_reason":null}]}""", "None")]
    [InlineData(Text, """{"choices":[{"text":"","finish_reason":"length"}]}""", "CutOff, Empty")]
    [InlineData(Embeddings, """{"data":[{"embedding":[0.1,-0.2]},{"embedding":"zczMPQ=="}]}""", "None")]
    [InlineData(Embeddings, """{"data":[{"embedding":[[0.1],[0.2]]}]}""", "None")]
    [InlineData(
        Responses,
        """{"object":"response","status":"completed","error":null,"output":[{"type":"message","content":["""
            + """{"type":"output_text","text":"four"}]}]}""", "None")]
    [InlineData(Responses, """{"status":"completed","output":[{"type":"function_call","name":"f"}]}""", "None")]
    [InlineData(Responses, """{"output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}""", "Refused")]
    [InlineData(Responses, """{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}""", "CutOff, Empty")]
    [InlineData(Responses, """{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[{"type":"reasoning","summary":[]}]}""", "Empty, Refused")]
    // https://ai.google.dev/api/generate-content#FinishReason and Bedrock's, in either case; a name that is not known ends an answer.
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"model_context_window_exceeded"}]}""", "CutOff")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"MAX_OUTPUT_TOKENS"}]}""", "CutOff")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"time_limit"}]}""", "CutOff")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"PROHIBITED_CONTENT"}]}""", "Refused")]
    [InlineData(Chat, """{"choices":[{"finish_reason":"guardrail_intervened"}]}""", "Empty, Refused")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"eos_token"}]}""", "None")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"COMPLETE"}],"code":0,"message":"success"}""", "None")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"base_resp":{"status_code":0,"status_msg":""}}""", "None")]
    [InlineData(Embeddings, """{"data":[{"embedding":{"float":[0.5]}}]}""", "None")]
    [InlineData("/v1/moderations", """{"results":[{"flagged":true}]}""", "None")]
    [InlineData("/v1/rerank", """{"results":[]}""", "None")]
    [InlineData("/v1/images/generations", """{"created":1,"data":[]}""", "None")]
    [InlineData("/v1/score", """{"object":"list","data":[{"object":"score","score":0.5}]}""", "None")]
    [InlineData("/v1/rerank", """{"message":"done","results":[{"index":0,"relevance_score":0.5}]}""", "None")]
    [InlineData("/v1/audio/transcriptions", """{"text":"invalid api token"}""", "None")]
    [InlineData("/api/chat", """{"message":{"role":"assistant","content":"four"},"done":true}""", "None")]
    [InlineData(
        Responses, """{"status":"requires_action","output":[{"type":"function_call","name":"f"}]}""", "None")]
    [InlineData(Responses, """{"status":"completed","output":[{"type":"reasoning","summary":[]}]}""", "Empty")]
    public void An_answer_of_the_kind_that_was_asked_for_is_a_completion(string path, string body, string flags)
    {
        var verdict = CompletionCheck.Of(path, Encoding.UTF8.GetBytes(body));
        Assert.Equal((true, flags), (verdict.IsCompletion, verdict.Flags.ToString()));
    }

    [Theory]
    [InlineData(Chat, "")]
    [InlineData(Chat, " \n\n")]
    [InlineData(Chat, "<html>app</html>")]
    [InlineData(Chat, "null")]
    [InlineData(Chat, "{}")]
    [InlineData(Chat, "[]")]
    [InlineData(Chat, """{"choices":null}""")]
    [InlineData(Chat, """{"choices":[]}""")]
    [InlineData(Chat, """{"choices":{}}""")]
    [InlineData(Chat, """{"choices":[null]}""")]
    [InlineData(Chat, """{"choices":[{}]}""")]
    [InlineData(Chat, """{"choices":[{"message":null,"finish_reason":"stop"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"a"}},{"finish_reason":"stop"}]}""")]
    [InlineData(Chat, """{"choices":[{"text":"four"}]}""")]
    [InlineData(Chat, """{"data":[{"embedding":[1]}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"fo""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}""")]
    [InlineData(Chat, """{"error":"something odd"}""")]
    // https://api-docs.deepseek.com/api/create-chat-completion; watsonx; vLLM and SGLang; Zhipu; Google; Cohere
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"insufficient_system_resource"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"cancelled"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"abort"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"network_error"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"MALFORMED_FUNCTION_CALL"}]}""")]
    [InlineData(Chat, """{"choices":[{"message":{"content":"x"},"finish_reason":"ERROR"}]}""")]
    [InlineData(Embeddings, """{"data":[{"embedding":[null,null]}]}""")]
    [InlineData(Embeddings, """{"data":[{"embedding":[{}]}]}""")]
    [InlineData(Text, """{"choices":[{"message":{"content":"four"}}]}""")]
    [InlineData(Embeddings, """{"object":"list","data":[]}""")]
    [InlineData(Embeddings, """{"data":null}""")]
    [InlineData(Embeddings, """{"data":[{"embedding":[1]},{"index":1}]}""")]
    [InlineData(Embeddings, """{"data":[{"embedding":[]}]}""")]
    [InlineData(Embeddings, """{"data":[{"embedding":null}]}""")]
    [InlineData(Responses, """{"status":"completed","output":[]}""")]
    [InlineData(Responses, """{"status":"cancelled","output":[]}""")]
    [InlineData(Responses, """{"status":"failed","error":null,"output":[]}""")]
    [InlineData(Responses, """{"status":"expired","output":[{"type":"reasoning","summary":[]}]}""")]
    [InlineData(Responses, """{"status":"expired","output":[{"type":"message","content":[{"type":"output_text","text":"fo"}]}]}""")]
    [InlineData(Responses, """{"status":"timed_out","output":[{"type":"message","content":[{"type":"output_text","text":"fo"}]}]}""")]
    [InlineData(Responses, """{"status":"paused","output":[{"type":"reasoning","summary":[]}]}""")]
    [InlineData("/v1/rerank", """{"message":"no Route matched with those values"}""")]
    [InlineData("/v1/score", """{"success":false,"msg":"try harder","request_id":"r-1","timestamp":17}""")]
    [InlineData(null, """{"message":"Internal failure"}""")]
    [InlineData("/v1/moderations", """["x"]""")]
    [InlineData("/v1/moderations", """{"detail":"Not authenticated"}""")]
    public void A_body_without_an_answer_may_be_better_next_time(string? path, string body)
    {
        var verdict = CompletionCheck.Of(path, Encoding.UTF8.GetBytes(body));
        Assert.Equal((OutcomeKind.Transient, null), (verdict.Kind, verdict.ErrorStatus));
        Assert.False(string.IsNullOrEmpty(verdict.Code) || string.IsNullOrEmpty(verdict.Message));
    }

    [Theory]
    [InlineData(Chat, """{"error":{"message":"x","code":502,"metadata":{}}}""", 502)]
    [InlineData(Chat, """{"error":{"message":"x","code":"429"}}""", 429)]
    [InlineData(Chat, """{"error":{"message":"x","type":"overloaded_error","code":null}}""", 529)]
    [InlineData(Chat, """{"error":{"message":"x","type":"invalid_request_error","code":"rate_limit_exceeded"}}""", 429)]
    [InlineData(Chat, """{"error":{"message":"x","code":"invalid_api_key"}}""", 401)]
    [InlineData(Chat, """{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}""", 429)]
    [InlineData(Chat, """{"error":{"message":"x","code":"context_length_exceeded"}}""", 400)]
    [InlineData(Chat, """{"error":{"message":"x","code":"model_not_found"}}""", 404)]
    [InlineData(Chat, """{"error":{"message":"x","status":"RESOURCE_EXHAUSTED"}}""", 429)]
    [InlineData(Chat, """{"error":{"message":"x","code":"Throttling.RateQuota"}}""", 429)]
    [InlineData(Chat, """[{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]""", 503)]
    [InlineData(Chat, """{"type":"error","error":{"type":"rate_limit_error","message":"x"}}""", 429)]
    [InlineData(Chat, """{"object":"error","message":"x","type":"BadRequestError","code":400}""", 400)]
    [InlineData(Chat, """{"statusCode":429,"message":"x"}""", 429)]
    [InlineData(Chat, """{"success":false,"errors":[{"code":401,"message":"x"}]}""", 401)]
    [InlineData(Chat, """{"choices":[{"message":{"content":""},"finish_reason":"error","error":{"code":502,"message":"x"}}]}""", 502)]
    [InlineData(Chat, """{"choices":[{"message":{"content":"par"}}],"error":{"code":408,"message":"x"}}""", 408)]
    [InlineData(Responses, """{"object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}""", 500)]
    [InlineData(Responses, """{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}""", 429)]
    [InlineData("/v1/moderations", """{"error":{"code":"server_error"}}""", 500)]
    [InlineData("/v1/rerank", """{"message":"invalid api token"}""", 401)]
    [InlineData("/v1/rerank", """{"message":"x: rate limit exceeded","request_id":"r-1"}""", 429)]
    [InlineData(Chat, """{"message":"invalid api token"}""", 401)]
    [InlineData("/v1/score", """{"msg":"The access token has expired"}""", 401)]
    [InlineData("/v1/score", """{"message":"Unauthorized"}""", 401)]
    [InlineData("/v1/rerank", """{"message":"allowance_used"}""", 401)]
    [InlineData(Chat, """{"__type":"com.amazon.x#ThrottlingException","message":"x"}""", 429)]
    [InlineData(Chat, """{"Response":{"Error":{"Code":"AuthFailure.Unauthorized","Message":"x"}}}""", 401)]
    public void An_error_inside_has_the_status_that_it_would_have_come_with(string path, string body, int status)
    {
        var verdict = CompletionCheck.Of(path, Encoding.UTF8.GetBytes(body));
        Assert.Equal((OutcomeKind.Transient, status), (verdict.Kind, verdict.ErrorStatus!.Value));
        Assert.Equal(ProviderError.Read(Encoding.UTF8.GetBytes(body)).Message ?? "x", ProviderError.Read(verdict.ErrorBody).Message ?? "x");
    }

    [Theory]
    // MiniMax, https://platform.minimax.io/docs/api-reference/errorcode; SiliconFlow; Baidu; iFlytek
    [InlineData("""{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}""", 401, "1008")]
    [InlineData("""{"base_resp":{"status_code":1004,"status_msg":"login fail: Please carry the API secret key"}}""", 401, "1004")]
    [InlineData("""{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}""", 429, "1002")]
    [InlineData("""{"base_resp":{"status_code":1000,"status_msg":"unknown error"}}""", null, "1000")]
    [InlineData("""{"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}""", 404, "20012")]
    [InlineData("""{"error_code":110,"error_msg":"Access token invalid or no longer valid"}""", 401, "110")]
    [InlineData("""{"error_code":18,"error_msg":"Open api qps request limit reached"}""", 429, "18")]
    [InlineData("""{"header":{"code":10013,"message":"the input contains sensitive words","sid":"x"}}""", 400, "10013")]
    [InlineData("""{"error":"Invalid API key"}""", 401, "error_in_answer")]
    [InlineData("""{"error":true,"message":"Your account is suspended"}""", 401, "error_in_answer")]
    public void An_error_inside_whose_code_is_a_number_of_its_own_is_judged_by_its_words(string body, int? status, string code)
    {
        var verdict = CompletionCheck.Of(Chat, Encoding.UTF8.GetBytes(body));
        Assert.Equal((OutcomeKind.Transient, status, code), (verdict.Kind, verdict.ErrorStatus, verdict.Code));
        Assert.NotNull(ProviderError.Read(verdict.ErrorBody).Message);
    }

    [Theory]
    [InlineData("queued")]
    [InlineData("in_progress")]
    public void A_response_that_is_still_being_made_is_not_asked_for_again(string status)
    {
        var verdict =
            CompletionCheck.Of(Responses, Encoding.UTF8.GetBytes($$"""{"object":"response","status":"{{status}}","output":[]}"""));
        Assert.Equal((OutcomeKind.Permanent, "background_response"), (verdict.Kind, verdict.Code));
        Assert.Contains("background", verdict.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"input":["a","b"]}""", 2, false)]
    [InlineData("""{"input":[[1,2],[3]]}""", 2, false)]
    [InlineData("""{"input":[1,2,3]}""", 1, true)]
    [InlineData("""{"input":"a"}""", 1, true)]
    [InlineData("""{"x":["a","b"]}""", 0, true)]
    [InlineData("""{"input":["a","b"]""", 2, false)]
    public void Fewer_embeddings_than_inputs_are_not_an_answer(string request, int inputs, bool isAnswer)
    {
        Assert.Equal(inputs, EmbeddingInputs.Count(Encoding.UTF8.GetBytes(request)));
        Assert.Equal(isAnswer, CompletionCheck.Of(Embeddings, """{"data":[{"embedding":[0.5]}]}"""u8.ToArray(), inputs).IsCompletion);
    }

    [Theory]
    [InlineData(""",{"logprob":NaN,"x":[Infinity,-Infinity,nan,]}""")]
    [InlineData(",\"\u0001\ttab and \\x\"")]
    [InlineData(""","\ud83d half" """)]
    [InlineData(""","\ude00\ud83d" """)]
    [InlineData(",/* odd */True,None")]
    public void What_a_tolerant_reader_can_read_is_a_completion_and_says_so(string odd)
    {
        var verdict =
            CompletionCheck.Of(Chat, Encoding.UTF8.GetBytes($$$"""{"choices":[{"message":{"content":"four"}}],"x":[0{{{odd}}}]}"""));
        Assert.Equal((true, AnswerFlags.Lenient), (verdict.IsCompletion, verdict.Flags));
    }

    [Fact]
    public void Bytes_that_are_no_text_a_mark_at_the_start_and_more_behind_the_end_are_tolerated()
    {
        var body = """{"choices":[{"message":{"content":"AB?CD"}}]}"""u8.ToArray();
        body[body.AsSpan().IndexOf((byte)'?')] = 0xF0;
        byte[][] bodies = [body, [0xEF, 0xBB, 0xBF, .. body], [.. body, .. "\n</s>{\"x\":"u8], [.. body, 0, 0]];
        Assert.All(bodies, one => Assert.Equal(AnswerFlags.Lenient, CompletionCheck.Of(Chat, one).Flags));
    }

    [Fact]
    public void Half_of_a_character_in_a_name_is_tolerated_and_the_tokens_are_counted()
    {
        var body = """{"\ud83d":1,"choices":[{"\ude00":2,"message":{"\ud83d":3,"content":"four"}}],"usage":{"\ud83d":4,"prompt_tokens":7}}"""u8.ToArray();
        Assert.Equal(AnswerFlags.Lenient, CompletionCheck.Of(Chat, body).Flags);
        Assert.Equal(new TokenUsage(7, 0, 0), AnswerBody.Read(body).Usage);
    }

    // The reader of .NET throws at half of a surrogate pair, depending on how long the name is that it compares with.
    [Fact]
    public async Task Half_of_a_character_in_any_name_or_text_throws_nowhere()
    {
        const string Sound =
            """{"id":"i","object":"chat.completion","error":{"code":0,"message":""},"choices":[{"index":0,"message":{"role":"assistant","content":"a","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]},"delta":{"content":"b"},"finish_reason":"stop","usage":{"total_tokens":3}}],"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}],"data":[{"object":"embedding","embedding":[1]}],"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":1}},"x_groq":{"usage":{"total_tokens":8}},"message":"retry in 5","metadata":{"headers":{"retry-after":"3"}}}""";
        string[] halves = ["\\ud83d", "u\\ud83d", "usag\\ud83d", "prompt_token\\ud83d", "\\ude00\\ud83d and some more text of a name", "c\\ud83dontent"];
        for (var at = Sound.IndexOf('"'); at >= 0; at = Sound.IndexOf('"', Sound.IndexOf('"', at + 1) + 1))
        {
            var end = Sound.IndexOf('"', at + 1);
            foreach (var half in halves)
            {
                foreach (var name in (string[])[half, Sound[(at + 1)..end] + half, half + Sound[(at + 1)..end]])
                {
                    var json = string.Concat(Sound.AsSpan(0, at + 1), name, Sound.AsSpan(end));
                    var body = Encoding.UTF8.GetBytes(json);
                    foreach (var path in (string?[])[Chat, Text, Embeddings, Responses, "/v1/rerank", null])
                        Assert.NotNull(CompletionCheck.Of(path, body));
                    _ = (AnswerBody.Read(body), UsageReader.Find(body), ProviderError.Read(body), AnswerTokens.Count("m", body));
                    _ = (ThrottleNotice.Read(body, DateTimeOffset.UnixEpoch), ProviderSentence.Of(body), StoredAnswer.Fault(body));
                    _ = EmbeddingInputs.Count(body);
                    _ = await StreamedAnswer.ReadAsync(
                        new MemoryStream(Encoding.UTF8.GetBytes($"data: {json}\n\nevent: x\ndata: {{\"type\":\"response.completed\",\"{name}\":1,\"response\":{json}}}\n\n")),
                        1_000_000, null, CancellationToken.None);
                }
            }
        }

        Assert.Equal(
            new TokenUsage(7, 0, 5),
            AnswerBody.Read("""{"usage":{"\ud83d":1,"prompt_tokens":7,"prompt_token\ud83d":1,"completion_tokens":5},"x":NaN}"""u8.ToArray()).Usage);
    }

    [Fact]
    public void Whatever_the_bytes_are_they_are_judged()
    {
        var random = new Random(7);
        var sound = """{"choices":[{"index":0,"message":{"content":"a\ud83d\ude00\"é"},"finish_reason":"stop"}],"error":null,"data":[{"embedding":[1]}],"output":[{"type":"message"}]}"""u8.ToArray();
        for (var n = 0; n < 20_000; n++)
        {
            var body = sound.ToArray();
            for (var times = random.Next(1, 6); times > 0; times--)
                body[random.Next(body.Length)] = (byte)random.Next(256);
            body = body[..random.Next(body.Length + 1)];
            var path = random.Next(5) switch { 0 => Chat, 1 => Text, 2 => Embeddings, 3 => Responses, _ => null };
            Assert.NotNull(CompletionCheck.Of(path, body));
            _ = AnswerBody.Read(body);
        }
    }

    [Theory]
    [InlineData("""{"choices":[]}""", "no choices")]
    [InlineData("""{"object":"list","data":[]}""", "no embeddings")]
    [InlineData("""{"error":{"code":429,"message":"secret"}}""", "429")]
    [InlineData("""{"id":"r","object":"response","status":"queued"}""", "in the background|goes on")]
    [InlineData("""{"choices":[{"message":{"content":"The answer is"},"finish_reason":null}]}""", "cut off")]
    [InlineData("""{"choices":[{"message":{"content":"four"},"finish_reason":"stop"}]}""", null)]
    [InlineData("""{"choices":[{"text":"four","finish_reason":"stop"}]}""", null)]
    [InlineData("""{"object":"list","data":[{"object":"embedding","embedding":[1]}]}""", null)]
    [InlineData("""{"created":1,"data":[{"url":"https://x"}]}""", null)]
    [InlineData("""{"results":[]}""", null)]
    public void Stored_completions_are_judged_by_their_shape(string body, string? fault)
    {
        var found = StoredAnswer.Fault(Encoding.UTF8.GetBytes(body));
        if (fault is null)
            Assert.Null(found);
        else
            Assert.Matches(fault, found!);
        Assert.DoesNotContain("secret", found ?? "", StringComparison.Ordinal);
    }
}
